/** Every mail server with an agent, one row each. */
import type { HostRow } from "../api/messages.ts";
import { usePages } from "../api/use-pages.ts";
import { useApp } from "../app-context.ts";
import { DataTable, type Column } from "../parts/data-table.tsx";
import { HostName } from "../parts/names.tsx";
import { Empty, Failed, Loading, Stale } from "../parts/states.tsx";
import { Time } from "../parts/time.tsx";
import { WordCell } from "../parts/word.tsx";
import {
  asOfState,
  bansOf,
  clockOf,
  firewallOf,
  lagOf,
  sourcesOf,
  stateOf,
  versionOf,
  type Word,
} from "../text/host-words.ts";
import { count } from "../text/numbers.ts";
import { visible } from "../text/visible-text.ts";

export function HostsPage() {
  const { session } = useApp();
  const pages = usePages({
    endpoint: "host.list",
    request: (after, limit) => ({ after, limit }),
    pageOf: ({ hosts, next, total, stale }) => ({ rows: hosts, next, total, stale }),
  });
  return (
    <>
      <h1>Hosts</h1>
      {pages.error && <Failed error={pages.error} retry={pages.retry} />}
      <Stale reason={pages.stale} retry={pages.retry} />
      {pages.rows === undefined && !pages.error && <Loading what="hosts" />}
      {pages.rows?.length === 0 && (
        <Empty title="No host reports yet.">
          <p>
            <code>fleetban key agent NAME</code> makes credentials for the first one; see
            docs/installation.md.
          </p>
        </Empty>
      )}
      {pages.rows && pages.rows.length > 0 && (
        <DataTable
          caption="Hosts"
          columns={columnsOf(session.version)}
          {...{ rows: pages.rows, total: pages.total, more: pages.more }}
          {...{ isLoading: pages.isLoading, all: pages.all }}
          keyOf={({ host }) => host}
        />
      )}
    </>
  );
}

const wordColumn = (
  name: string,
  wordOf: (row: HostRow) => Word,
  isExtra = false,
): Column<HostRow> => ({
  name,
  ...(isExtra && { kind: "extra" }),
  cell: (row) => <WordCell word={asOfState(row, wordOf(row))} />,
  text: (row) => wordOf(row).text,
});

function columnsOf(version: string): Column<HostRow>[] {
  return [
    { name: "Host", cell: ({ host }) => <HostName host={host} />, text: ({ host }) => host },
    wordColumn("State", stateOf),
    wordColumn("Bans", bansOf),
    wordColumn("Lag", lagOf),
    wordColumn("Sources", sourcesOf),
    wordColumn("Firewall", firewallOf),
    wordColumn("Clock", clockOf, true),
    wordColumn("Version", (row) => versionOf(row, version), true),
    {
      name: "Last heard",
      cell: ({ lastSeenAt }) => <Time at={lastSeenAt} isRelative />,
      text: ({ lastSeenAt }) => lastSeenAt,
    },
    {
      name: "Warnings",
      cell: (row) => <Warnings row={row} />,
      text: ({ status }) => (status?.warnings ?? []).map(({ code }) => code).join(" "),
    },
  ];
}

function Warnings({ row: { state, status } }: { row: HostRow }) {
  const warnings = status?.warnings ?? [];
  if (warnings.length === 0 && state === "down") return <span class="faint">not known</span>;
  if (warnings.length === 0) return <span class="faint">none</span>;
  const isBad = warnings.some(({ severity }) => severity === "high");
  return (
    <span
      class={isBad ? "word-bad" : "word-look"}
      title={warnings.map(({ text }) => visible(text)).join("\n")}
    >
      {count(warnings.length, "warning")}
    </span>
  );
}
