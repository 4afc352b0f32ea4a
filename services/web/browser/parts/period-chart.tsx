/** Failures and bans on record over a period that can be chosen. */
import { useMemo } from "preact/hooks";
import type { Reply, Request } from "../api/messages.ts";
import { useQuery } from "../api/use-query.ts";
import { useApp, useFilters } from "../app-context.ts";
import { formatDuration } from "../text/durations.ts";
import { formatInstant, utcBeside } from "../text/instants.ts";
import { count, formatNumber } from "../text/numbers.ts";
import { beginOf, periodNamed, PERIODS, type Period } from "../text/periods.ts";
import { ChoiceRow } from "./fields.tsx";
import { SeriesChart } from "./series-chart.tsx";
import { Failed, Loading, Stale } from "./states.tsx";

type SeriesFilter = Omit<Request<"series.show">, "since" | "until">;

interface PeriodChartProps {
  title: string;
  filter: SeriesFilter;
}

/** With a choice of the period, which stands in the page's address. */
export function PeriodChart({ title, filter }: PeriodChartProps) {
  const { of, set } = useFilters();
  const period = periodNamed(of("period"), "7d");
  return (
    <section class="panel">
      <header>
        <h2>{title}</h2>
        <ChoiceRow
          label="Period"
          value={period.value}
          onChange={(value) => set({ period: value })}
          choices={PERIODS}
        />
      </header>
      <RecordedSeries period={period} filter={filter} />
    </section>
  );
}

interface RecordedSeriesProps {
  period: Period;
  filter: SeriesFilter;
}

export function RecordedSeries({ period, filter }: RecordedSeriesProps) {
  const { changes } = useApp();
  const since = useMemo(() => beginOf(period, Date.now()), [period, changes]);
  const { data, error, refresh } = useQuery("series.show", { since, ...filter });
  if (error) return <Failed error={error} retry={refresh} />;
  if (!data) return <Loading what={period.words} />;
  return (
    <>
      <Stale reason={data.stale} retry={refresh} />
      <SeriesChart
        summary={summarize(data, period)}
        since={data.since}
        stepSeconds={data.stepSeconds}
        unit={`in ${formatDuration(data.stepSeconds)}`}
        height={180}
        series={[
          { name: "attempts", values: data.attempts, color: "--series-1" },
          ...(data.bans ? [{ name: "bans", values: data.bans, color: "--series-2" }] : []),
        ]}
      />
    </>
  );
}

function summarize({ attempts, since, stepSeconds }: Reply<"series.show">, period: Period): string {
  const all = attempts.reduce((sum, value) => sum + value, 0);
  if (all === 0) return `no attempt in ${period.words}`;
  const most = Math.max(...attempts);
  const at = Date.parse(since) + attempts.indexOf(most) * stepSeconds * 1000;
  const peak = `at most ${formatNumber(most)} in ${formatDuration(stepSeconds)}`;
  const time = formatInstant(at).slice(0, 16) + utcBeside(at);
  return `${count(all, "attempt")} in ${period.words}; ${peak}, at ${time}`;
}
