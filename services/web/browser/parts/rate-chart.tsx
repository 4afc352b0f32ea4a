import { useQuery } from "../api/use-query.ts";
import type { Reply } from "../api/messages.ts";
import { formatClock, utcBeside } from "../text/instants.ts";
import { count, formatNumber } from "../text/numbers.ts";
import { SeriesChart } from "./series-chart.tsx";
import { Failed, Loading } from "./states.tsx";

const EVERY_MS = 10_000;

/** Failures and bans per second over the last hour. */
export function RateChart() {
  const { data, error, refresh } = useQuery("rate.show", {}, { everyMs: EVERY_MS });
  return (
    <section class="panel">
      <h2>The last hour</h2>
      {error && <Failed error={error} retry={refresh} />}
      {data ? <Rates rates={data} /> : !error && <Loading what="the last hour" />}
    </section>
  );
}

function Rates({ rates }: { rates: Reply<"rate.show"> }) {
  const { since, stepSeconds, knownSince } = rates;
  const begin = Date.parse(since);
  const perSecond = (values: readonly number[]) =>
    values.map((value, index) =>
      // The coordinator had not started then, and the last step is not over.
      begin + (index + 1) * stepSeconds * 1000 < Date.parse(knownSince) ||
      index === values.length - 1
        ? null
        : value / stepSeconds,
    );
  const failures = perSecond(rates.failures);
  const bans = perSecond(rates.bans);
  return (
    <>
      <SeriesChart
        summary={summarize(failures, begin, stepSeconds)}
        since={since}
        stepSeconds={stepSeconds}
        unit="per second"
        height={190}
        series={[{ name: "failures per second", values: failures, color: "--series-1" }]}
      />
      <SeriesChart
        summary={summarizeBans(rates.bans)}
        since={since}
        stepSeconds={stepSeconds}
        unit="per second"
        height={110}
        series={[{ name: "bans per second", values: bans, color: "--series-2" }]}
      />
    </>
  );
}

function summarizeBans(values: readonly number[]): string {
  const bans = values.reduce((sum, value) => sum + value, 0);
  return `${bans === 0 ? "no ban" : count(bans, "ban")} in the last hour`;
}

function summarize(values: readonly (number | null)[], begin: number, step: number): string {
  const known = values.map((value) => value ?? 0);
  const most = Math.max(...known, 0);
  if (most === 0) return "no failure in the last hour";
  const at = begin + known.indexOf(most) * step * 1000;
  const time = formatClock(at).slice(0, 5) + utcBeside(at);
  const last = values.findLast((value) => value !== null) ?? 0;
  return `now ${formatNumber(last)} a second; at most ${formatNumber(most)}, at ${time}`;
}
