/** The commands of operators, as the record has them. */
import type { AuditRow } from "../api/messages.ts";
import { usePages } from "../api/use-pages.ts";
import { useFilters } from "../app-context.ts";
import { DataTable, type Column } from "../parts/data-table.tsx";
import { CheckField, FilterField, SelectField } from "../parts/fields.tsx";
import { Foreign } from "../parts/foreign.tsx";
import { Empty, Failed, Loading, Stale } from "../parts/states.tsx";
import { Time } from "../parts/time.tsx";
import { useMemo } from "preact/hooks";
import { beginOf, periodNamed, PERIODS } from "../text/periods.ts";

export function AuditPage() {
  const { of, set } = useFilters();
  const [by, since, all] = [of("by"), of("since"), of("all") === "yes"];
  const begin = useMemo(
    () => (since === "" ? undefined : beginOf(periodNamed(since, "1y"), Date.now())),
    [since],
  );
  const isFiltered = by !== "" || since !== "";
  const pages = usePages({
    endpoint: "audit.list",
    request: (after, limit) => ({
      ...{ all, after, limit },
      ...(by !== "" && { by }),
      ...(begin !== undefined && { since: begin }),
    }),
    pageOf: ({ audit, next, stale }) => ({ rows: audit, next, stale }),
  });
  return (
    <>
      <h1>Audit</h1>
      <form class="filters" onSubmit={(event) => event.preventDefault()}>
        <FilterField
          label="By"
          value={by}
          placeholder="alice, decider"
          onChange={(next) => set({ by: next })}
        />
        <SelectField
          label="Time"
          value={since}
          onChange={(next) => set({ since: next })}
          choices={[
            { value: "", label: "at any time" },
            ...PERIODS.map(({ value, words }) => ({ value, label: words })),
          ]}
        />
        <CheckField
          label="Also show automatic decisions"
          isChecked={all}
          onChange={(isChecked) => set({ all: isChecked ? "yes" : "" })}
        />
      </form>
      {pages.error && <Failed error={pages.error} retry={pages.retry} />}
      <Stale reason={pages.stale} retry={pages.retry} />
      {pages.rows === undefined && !pages.error && <Loading what="the audit" />}
      {pages.rows?.length === 0 && (
        <Empty title={isFiltered ? "Nothing on record matches." : "No command is on record yet."} />
      )}
      {pages.rows && pages.rows.length > 0 && (
        <DataTable
          caption="Audit"
          columns={COLUMNS}
          {...{ rows: pages.rows, more: pages.more, isLoading: pages.isLoading, all: pages.all }}
          keyOf={({ at, by: maker, action, detail }) => `${at} ${maker} ${action} ${detail}`}
        />
      )}
    </>
  );
}

const COLUMNS: readonly Column<AuditRow>[] = [
  { name: "Time", cell: ({ at }) => <Time at={at} isExact />, text: ({ at }) => at },
  { name: "By", cell: ({ by }) => <Foreign text={by} length={40} />, text: ({ by }) => by },
  {
    name: "Action",
    cell: ({ action }) => <Foreign text={action} length={40} />,
    text: ({ action }) => action,
  },
  {
    name: "What, and why",
    kind: "wide",
    cell: ({ detail }) => <Foreign text={detail} length={160} />,
    text: ({ detail }) => detail,
  },
];
