/** One mail server: what it enforces, what it reads, what it warns of. */
import type { HostRow, HostStatus } from "../api/messages.ts";
import { useQuery } from "../api/use-query.ts";
import { useApp } from "../app-context.ts";
import { may } from "../commands/may.ts";
import { EndQuarantineDialog, QuarantineDialog } from "../commands/quarantine-dialog.tsx";
import { DataTable, type Column } from "../parts/data-table.tsx";
import { Fact, Facts } from "../parts/facts.tsx";
import { Foreign } from "../parts/foreign.tsx";
import { Icon } from "../parts/icon.tsx";
import { Link } from "../parts/link.tsx";
import { AddressName } from "../parts/names.tsx";
import { PeriodChart } from "../parts/period-chart.tsx";
import { Empty, Failed, Loading, Stale } from "../parts/states.tsx";
import { Time } from "../parts/time.tsx";
import { WordCell } from "../parts/word.tsx";
import {
  asOfState,
  bansOf,
  clockOf,
  firewallOf,
  lagOf,
  SOURCE_STATES,
  sourcesOf,
  stateOf,
  versionOf,
} from "../text/host-words.ts";
import { count, formatBytes, formatNumber } from "../text/numbers.ts";

export function HostPage({ host }: { host: string }) {
  const { data, error, refresh } = useQuery("host.show", { host }, { everyMs: 10_000 });
  const isUnknown = error?.status === 404 || error?.status === 400;
  return (
    <>
      <header class="page-head">
        <div>
          <p class="kicker">Host</p>
          <h1>{host}</h1>
        </div>
        {data && !isUnknown && <QuarantineButton row={data.host} />}
      </header>
      {error && !isUnknown && <Failed error={error} retry={refresh} />}
      {isUnknown && (
        <Empty title="There is no such host.">
          <p>
            The name may be wrong, or the host was removed. <Link page="hosts">See the hosts</Link>
          </p>
        </Empty>
      )}
      {data && !isUnknown ? (
        <>
          <Stale reason={data.stale} retry={refresh} />
          <Known row={data.host} version={data.version} />
        </>
      ) : (
        !error && <Loading what="the host" />
      )}
    </>
  );
}

function QuarantineButton({ row: { host, quarantine } }: { row: HostRow }) {
  const { session, show } = useApp();
  if (!may(session.role, "quarantine")) return null;
  return quarantine ? (
    <button type="button" onClick={() => show(<EndQuarantineDialog host={host} />)}>
      End the quarantine
    </button>
  ) : (
    <button type="button" class="danger" onClick={() => show(<QuarantineDialog host={host} />)}>
      Quarantine
    </button>
  );
}

function Known({ row, version }: { row: HostRow; version: string }) {
  const { status, quarantine, missedOffences = 0 } = row;
  return (
    <>
      <HostVerdict row={row} />
      {status && status.warnings.length > 0 && <HostWarnings status={status} />}
      <div class="columns">
        <section class="panel">
          <h2>State</h2>
          <Facts>
            <Fact name="Last heard">
              <Time at={row.lastSeenAt} isRelative />
            </Fact>
            <Fact name="Bans">
              <WordCell word={asOfState(row, bansOf(row))} />
            </Fact>
            <Fact name="Firewall">
              <WordCell word={asOfState(row, firewallOf(row))} />
            </Fact>
            <Fact name="Lag">
              <WordCell word={asOfState(row, lagOf(row))} />
            </Fact>
            <Fact name="Sources">
              <WordCell word={asOfState(row, sourcesOf(row))} />
            </Fact>
            <Fact name="Clock">
              <WordCell word={asOfState(row, clockOf(row))} />
            </Fact>
            <Fact name="Version">
              <WordCell word={asOfState(row, versionOf(row, version))} />
            </Fact>
            {status && (
              <Fact name="Started">
                <Time at={status.startedAt} />
              </Fact>
            )}
            {missedOffences > 0 && (
              <Fact name="Too late">{count(missedOffences, "offence")} over before a ban</Fact>
            )}
            {quarantine && quarantine.until === null && (
              <Fact name="Quarantine">
                since <Time at={quarantine.since} /> by <Foreign text={quarantine.by} />:{" "}
                <Foreign text={quarantine.reason} length={160} />
              </Fact>
            )}
            {status && (
              <Fact name="Its addresses">
                <Foreign text={status.addresses.join(", ") || "none reported"} length={120} />
              </Fact>
            )}
          </Facts>
        </section>
        <PeriodChart title="Failures that it saw" filter={{ host: row.host }} />
      </div>
      {status && <Sources status={status} />}
      {status && status.refused.length > 0 && <Refused status={status} />}
    </>
  );
}

function HostVerdict({ row }: { row: HostRow }) {
  const { status, state, awaited } = row;
  const isBad =
    stateOf(row).level === "bad" ||
    (status?.warnings ?? []).some(({ severity }) => severity === "high");
  const isWell = !isBad && row.current && (status?.warnings.length ?? 0) === 0;
  const level = isBad ? "act" : isWell ? "well" : "look";
  return (
    <section class={`verdict small ${level}`}>
      <Icon name={isWell ? "ok" : "alert"} />
      <div>
        <p class="sentence" role="status">
          {awaited ? (
            "It was not heard yet: the coordinator has just started."
          ) : state === "down" ? (
            <>
              Silent since <Time at={row.lastSeenAt} />.
            </>
          ) : (
            describeUp(row)
          )}
        </p>
        {state === "down" && !awaited && (
          <p class="detail">
            Run <code>systemctl status fleetban-agent</code> there. The firewall of the host keeps
            its bans until they end, and gets no new ones.
          </p>
        )}
      </div>
    </section>
  );
}

function describeUp({ quarantine, current, status }: HostRow): string {
  const state = quarantine ? "It is in quarantine" : "It reports";
  const bans = current ? "has every ban" : "the newest bans are not in force there yet";
  const warnings = status?.warnings.length ?? 0;
  const warns = warnings === 0 ? "" : ` It warns of ${count(warnings, "thing")}.`;
  return `${state}${current ? " and " : ", but "}${bans}.${warns}`;
}

function HostWarnings({ status }: { status: HostStatus }) {
  return (
    <ul class="warnings">
      {status.warnings.map(({ code, severity, text }) => (
        <li class={`warning ${severity}`}>
          <span class="severity">{severity}</span>
          <div>
            <p>
              <Foreign text={text} length={500} />
            </p>
            <p class="faint">
              <code>{code}</code> in troubleshooting.md
            </p>
          </div>
        </li>
      ))}
    </ul>
  );
}

type Source = HostStatus["sources"][number];

const SOURCES: readonly Column<Source>[] = [
  { name: "Source", cell: ({ name }) => name, text: ({ name }) => name },
  { name: "Jail", cell: ({ jail }) => <Foreign text={jail} />, text: ({ jail }) => jail },
  {
    name: "State",
    cell: ({ state }) => <WordCell word={SOURCE_STATES[state]} />,
    text: ({ state }) => state,
  },
  {
    name: "Lines",
    isNumber: true,
    cell: ({ lines }) => formatNumber(lines),
    text: ({ lines }) => String(lines),
  },
  {
    name: "Failures",
    isNumber: true,
    cell: ({ failures }) => formatNumber(failures),
    text: ({ failures }) => String(failures),
  },
  {
    name: "Not understood",
    isNumber: true,
    cell: ({ unrecognized = 0 }) => formatNumber(unrecognized),
    text: ({ unrecognized = 0 }) => String(unrecognized),
  },
  {
    name: "Lag",
    isNumber: true,
    cell: ({ lag }) => formatBytes(lag),
    text: ({ lag }) => String(lag),
  },
  {
    name: "Last line",
    cell: ({ lastLineAt }) =>
      lastLineAt === null ? "none yet" : <Time at={lastLineAt} isRelative />,
    text: ({ lastLineAt }) => lastLineAt ?? "",
  },
];

function Sources({ status: { sources } }: { status: HostStatus }) {
  return (
    <>
      <h2>What it reads</h2>
      {sources.length === 0 ? (
        <Empty title="It reads no log." />
      ) : (
        <DataTable caption="Sources" columns={SOURCES} rows={sources} keyOf={({ name }) => name} />
      )}
    </>
  );
}

function Refused({ status: { refused } }: { status: HostStatus }) {
  return (
    <section class="panel">
      <h2>Bans that it does not apply</h2>
      <ul>
        {refused.map(({ address, reason }) => (
          <li>
            <AddressName address={address} />: <Foreign text={reason} length={200} />
          </li>
        ))}
      </ul>
    </section>
  );
}
