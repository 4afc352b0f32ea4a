/** Bans in force, held bans, and those on record. */
import type { Ban, BanSelection, Request } from "../api/messages.ts";
import { useAbout } from "../api/use-about.ts";
import { usePages } from "../api/use-pages.ts";
import { useQuery } from "../api/use-query.ts";
import { useApp, useFilters } from "../app-context.ts";
import { BanButton, UnbanButton } from "../commands/buttons.tsx";
import { HeldActions } from "../commands/held-actions.tsx";
import { ManyDialog, type ManyVerb } from "../commands/many-dialog.tsx";
import { may } from "../commands/may.ts";
import { DataTable, type Column } from "../parts/data-table.tsx";
import { ChoiceRow, FilterField, SelectField } from "../parts/fields.tsx";
import { Foreign } from "../parts/foreign.tsx";
import { About, AddressName, BanState } from "../parts/names.tsx";
import { Empty, Failed, Loading, Stale } from "../parts/states.tsx";
import { Time } from "../parts/time.tsx";
import { parseAddress } from "../text/addresses.ts";
import { awaitsRelease, isBanned, KIND_WORDS, kindOf } from "../text/ban-words.ts";
import { parseDuration } from "../text/durations.ts";
import type { Filters } from "../router.ts";

const STATES = [
  { value: "", label: "In force" },
  { value: "held", label: "Held" },
  { value: "all", label: "On record" },
];
const SINCE = [
  { value: "", label: "at any time" },
  { value: "1h", label: "in the last hour" },
  { value: "1d", label: "in the last day" },
  { value: "7d", label: "in the last 7 days" },
  { value: "30d", label: "in the last 30 days" },
];

export function BansPage() {
  const { filters, set, of } = useFilters();
  const { data: status } = useQuery("status.show", {});
  const wrongAddress = of("within") !== "" && parseAddress(of("within")) === undefined;
  return (
    <>
      <header class="page-head">
        <h1>Bans</h1>
        <BanButton />
      </header>
      <ChoiceRow
        label="Which bans"
        value={of("state")}
        onChange={(state) => set({ state })}
        choices={STATES}
      />
      <form class="filters" onSubmit={(event) => event.preventDefault()}>
        <FilterField
          label="Within a network"
          value={of("within")}
          placeholder="198.51.100.0/24"
          onChange={(within) => set({ within })}
        />
        <SelectField
          label="Jail"
          value={of("jail")}
          onChange={(jail) => set({ jail })}
          choices={[
            { value: "", label: "every jail" },
            ...(status?.jails ?? []).map(({ name }) => ({ value: name, label: name })),
          ]}
        />
        <FilterField
          label="By"
          value={of("by")}
          placeholder="decider, alice"
          onChange={(by) => set({ by })}
        />
        <FilterField
          label="Reason contains"
          value={of("reason")}
          onChange={(reason) => set({ reason })}
        />
        <SelectField
          label="Changed"
          value={of("since")}
          onChange={(since) => set({ since })}
          choices={SINCE}
        />
      </form>
      {wrongAddress ? (
        <Empty title="The network in the filter is not complete yet." />
      ) : (
        <BanList filters={filters} />
      )}
    </>
  );
}

type Wanted = Omit<Request<"ban.list">, "limit" | "after">;

function questionOf(filters: Filters): Wanted {
  const { state = "", within = "", jail = "", by = "", reason = "", since = "" } = filters;
  const network = parseAddress(within);
  const begin = sinceOf(since);
  return {
    all: state === "all",
    ...(state === "held" && { held: true }),
    ...(network !== undefined && { within: network }),
    ...(jail !== "" && { jail }),
    ...(by !== "" && { by }),
    ...(reason !== "" && { reason }),
    ...(begin !== undefined && { since: begin }),
  };
}

/** To the minute, so that the question stays the same for a while. */
function sinceOf(since: string): string | undefined {
  const seconds = parseDuration(since);
  if (seconds === undefined) return undefined;
  return new Date(Math.floor(Date.now() / 60_000 - seconds / 60) * 60_000).toISOString();
}

function BanList({ filters }: { filters: Filters }) {
  const wanted = questionOf(filters);
  const pages = usePages({
    endpoint: "ban.list",
    request: (after, limit) => ({ ...wanted, after, limit }),
    pageOf: ({ bans, next, total, stale }) => ({
      ...{ rows: bans, next, stale },
      // The record tells how many rows the page has.
      ...(!wanted.all && { total }),
    }),
  });
  const about = useAbout((pages.rows ?? []).map(({ address }) => address));
  const failed = pages.error && <Failed error={pages.error} retry={pages.retry} />;
  if (!pages.rows) return failed ?? <Loading what="bans" />;
  const columns = columnsOf(about, filters["state"] === "held");
  return (
    <>
      {failed}
      <Stale reason={pages.stale} retry={pages.retry} />
      {pages.rows.length === 0 ? (
        <NoBans filters={filters} />
      ) : (
        <DataTable
          {...{ caption: "Bans", columns, rows: pages.rows, total: pages.total }}
          {...{ more: pages.more, isLoading: pages.isLoading, all: pages.all }}
          keyOf={({ change }) => change}
          tools={<ManyButtons filters={filters} />}
        />
      )}
    </>
  );
}

function NoBans({ filters }: { filters: Filters }) {
  const isFiltered = Object.entries(filters).some(([name, value]) => name !== "state" && value);
  if (isFiltered) return <Empty title="No ban matches these filters." />;
  const { state = "" } = filters;
  if (state === "held") return <Empty title="No ban is held: nothing waits for you." />;
  return <Empty title={state === "all" ? "No ban is on record." : "Nobody is banned now."} />;
}

function columnsOf(about: ReadonlyMap<string, string>, isHeld: boolean): Column<Ban>[] {
  return [
    {
      name: "Address",
      cell: ({ address }) => <AddressName address={address} />,
      text: ({ address }) => address,
    },
    ...(about.size === 0
      ? []
      : [
          {
            name: "Where",
            kind: "extra" as const,
            cell: ({ address }: Ban) => <About about={about.get(address)} />,
            text: ({ address }: Ban) => about.get(address) ?? "",
          },
        ]),
    { name: "Jail", cell: ({ jail }) => jail, text: ({ jail }) => jail },
    {
      name: "State",
      cell: (ban) => <BanState ban={ban} isWithEnd />,
      text: (ban) => KIND_WORDS[kindOf(ban, Date.now())],
    },
    {
      name: "Began",
      kind: "extra",
      cell: ({ startsAt }) => <Time at={startsAt} />,
      text: ({ startsAt }) => startsAt,
    },
    {
      name: "Ends",
      kind: "extra",
      cell: ({ until }) => (until === null ? "never" : <Time at={until} />),
      text: ({ until }) => until ?? "never",
    },
    {
      name: "Reason",
      kind: "wide",
      cell: (ban) => <Reason ban={ban} />,
      text: ({ reason }) => reason,
    },
    {
      name: "By",
      cell: ({ by }) => <Foreign text={by} length={28} />,
      text: ({ by }) => by,
    },
    {
      name: "Commands",
      kind: "actions",
      cell: (ban) => <BanActions ban={ban} isHeld={isHeld} />,
    },
  ];
}

function Reason({ ban: { reason, held, hosts } }: { ban: Ban }) {
  return (
    <div>
      <Foreign text={reason} length={90} />
      {held !== undefined && (
        <p class="faint">
          held because <Foreign text={held} length={90} />
        </p>
      )}
      {hosts && <span class="faint"> on {hosts.join(", ")} only</span>}
    </div>
  );
}

function BanActions({ ban, isHeld }: { ban: Ban; isHeld: boolean }) {
  const now = Date.now();
  if (isHeld && awaitsRelease(ban, now)) return <HeldActions ban={ban} />;
  if (!isBanned(ban, now)) return null;
  return <UnbanButton address={ban.address} bans={[ban]} jail={ban.jail} isSmall />;
}

/** Commands for every ban that the filters leave. */
function ManyButtons({ filters }: { filters: Filters }) {
  const { session, show } = useApp();
  const { state = "", reason = "", ...others } = filters;
  const selection = selectionOf(others);
  const isNarrowed = Object.keys(selection).length > 0;
  // A selection has no text of the reason, and a record is no ban that could be lifted.
  if (reason !== "" || state === "all" || !may(session.role, "lift-many")) return null;
  if (state !== "held" && !isNarrowed) return null;
  const open = (verb: ManyVerb) =>
    show(<ManyDialog verb={verb} selection={selection} what={describeSelection(others)} />);
  if (state !== "held") {
    return (
      <button type="button" class="quiet" onClick={() => open("lift")}>
        Lift all …
      </button>
    );
  }
  return (
    <>
      <button type="button" class="quiet" onClick={() => open("release")}>
        Release all …
      </button>
      <button type="button" class="quiet" onClick={() => open("discard")}>
        Discard all …
      </button>
    </>
  );
}

function selectionOf({ jail = "", within = "", by = "", since = "" }: Filters): BanSelection {
  const network = parseAddress(within);
  const begin = sinceOf(since);
  return {
    ...(jail !== "" && { jail }),
    ...(network !== undefined && { within: network }),
    ...(by !== "" && { by }),
    ...(begin !== undefined && { since: begin }),
  };
}

function describeSelection({ jail = "", within = "", by = "", since = "" }: Filters): string {
  const parts = [
    jail === "" ? "" : `in jail ${jail}`,
    within === "" ? "" : `within ${within}`,
    by === "" ? "" : `by ${by}`,
    since === "" ? "" : (SINCE.find(({ value }) => value === since)?.label ?? ""),
  ].filter(Boolean);
  return parts.length === 0 ? "that are held" : parts.join(", ");
}
