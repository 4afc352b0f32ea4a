/** Failed logins by address, by user and by what else they share. */
import { useMemo } from "preact/hooks";
import type { TopKind, TopRow } from "../api/messages.ts";
import { useQuery } from "../api/use-query.ts";
import { useApp, useFilters } from "../app-context.ts";
import { countryName, WorldMap } from "../map/world-map.tsx";
import { attemptsColumns } from "../parts/attempts-columns.tsx";
import { DataTable, type Column } from "../parts/data-table.tsx";
import { ChoiceRow } from "../parts/fields.tsx";
import { Foreign } from "../parts/foreign.tsx";
import { AddressName, HostName, UserName } from "../parts/names.tsx";
import { RecordedSeries } from "../parts/period-chart.tsx";
import { Share } from "../parts/share.tsx";
import { Empty, Failed, Loading, Stale } from "../parts/states.tsx";
import { count } from "../text/numbers.ts";
import { beginOf, periodNamed, PERIODS, type Period } from "../text/periods.ts";

const KINDS: readonly { value: TopKind; label: string; column: string }[] = [
  { value: "address", label: "Addresses", column: "Address" },
  { value: "network", label: "Networks", column: "Network" },
  { value: "asn", label: "Owners (ASN)", column: "Owner" },
  { value: "country", label: "Countries", column: "Country" },
  { value: "user", label: "Users", column: "User" },
  { value: "domain", label: "Mail domains", column: "Mail domain" },
  { value: "host", label: "Hosts", column: "Host" },
];
const ROWS = 100;
const COUNTRIES = 250;

export function FailuresPage() {
  const { set, of } = useFilters();
  const period = periodNamed(of("period"), "24h");
  const kind = KINDS.find(({ value }) => value === of("by")) ?? KINDS[0];
  return (
    <>
      <header class="page-head">
        <h1>Failures</h1>
        <ChoiceRow
          label="Period"
          value={period.value}
          onChange={(value) => set({ period: value })}
          choices={PERIODS}
        />
      </header>
      <section class="panel">
        <h2 class="unseen">Over time</h2>
        <RecordedSeries period={period} filter={{}} />
      </section>
      <Countries period={period} />
      <ChoiceRow
        label="Ranked by"
        value={kind?.value ?? "address"}
        onChange={(by) => set({ by })}
        choices={KINDS}
      />
      {kind && <Ranking period={period} kind={kind} />}
    </>
  );
}

function useTop(period: Period, by: TopKind, limit: number) {
  const { changes } = useApp();
  const since = useMemo(() => beginOf(period, Date.now()), [period, changes]);
  return useQuery("failure.top", { by, since, limit });
}

function Countries({ period }: { period: Period }) {
  const { data } = useTop(period, "country", COUNTRIES);
  if (!data) return null;
  const isKnown = data.top.some(({ name }) => /^[A-Z]{2}$/.test(name));
  return (
    <section class="panel">
      <h2>Where they come from</h2>
      {isKnown ? (
        <WorldMap top={data.top} />
      ) : (
        <p class="faint">
          {data.attempts === 0
            ? "There was no failure."
            : "The countries are not known: give the coordinator a database in MaxMind’s format (.mmdb), see notify.whois.databases in docs/configuration.md."}
        </p>
      )}
    </section>
  );
}

interface RankingProps {
  period: Period;
  kind: (typeof KINDS)[number];
}

function Ranking({ period, kind }: RankingProps) {
  const { data, error, refresh, isCurrent } = useTop(period, kind.value, ROWS);
  if (error) return <Failed error={error} retry={refresh} />;
  if (!data || !isCurrent) return <Loading what="the ranking" />;
  return (
    <>
      <Stale reason={data.stale} retry={refresh} />
      {data.top.length === 0 ? (
        <Empty title={describeNothing(data.attempts, period)} />
      ) : (
        <>
          <p class="faint">
            {count(data.attempts, "attempt")} in {period.words}
          </p>
          <DataTable
            caption={`Failures by ${kind.column}`}
            columns={columnsOf(kind, data.top, data.attempts)}
            rows={data.top}
            keyOf={({ name }) => name}
          />
        </>
      )}
    </>
  );
}

const describeNothing = (attempts: number, { words }: Period): string =>
  attempts === 0
    ? `There was no failure in ${words}.`
    : `No failure in ${words} has that; see notify.whois.databases for owners and countries.`;

function columnsOf(
  { value, column }: RankingProps["kind"],
  top: readonly TopRow[],
  attempts: number,
): Column<TopRow>[] {
  const most = top[0]?.attempts ?? 0;
  return [
    { name: column, cell: (row) => <TopName kind={value} row={row} />, text: ({ name }) => name },
    ...attemptsColumns(top),
    {
      name: "Share",
      kind: "wide",
      cell: (row) => <Share part={row.attempts} whole={attempts} most={most} />,
    },
  ];
}

function TopName({ kind, row: { name } }: { kind: TopKind; row: TopRow }) {
  switch (kind) {
    case "address":
    case "network":
      return <AddressName address={name} />;
    case "user":
      return <UserName user={name} />;
    case "host":
      return <HostName host={name} />;
    case "country":
      return (
        <span>
          {countryName(name)} <span class="faint">{countryName(name) === name ? "" : name}</span>
        </span>
      );
    case "asn":
    case "domain":
      return <Foreign text={name} length={64} />;
  }
}
