/** Periods that end now, by the names that stand in links. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `stepMs`: how long each number of the coordinator's answer is for (history/failure-series.ts). */
export const PERIODS = [
  { value: "1h", label: "1 h", words: "the last hour", ms: HOUR, stepMs: MINUTE },
  { value: "6h", label: "6 h", words: "the last 6 hours", ms: 6 * HOUR, stepMs: 5 * MINUTE },
  { value: "24h", label: "24 h", words: "the last 24 hours", ms: DAY, stepMs: 5 * MINUTE },
  { value: "7d", label: "7 d", words: "the last 7 days", ms: 7 * DAY, stepMs: HOUR },
  { value: "30d", label: "30 d", words: "the last 30 days", ms: 30 * DAY, stepMs: 3 * HOUR },
  { value: "90d", label: "90 d", words: "the last 90 days", ms: 90 * DAY, stepMs: DAY },
  { value: "1y", label: "1 y", words: "the last year", ms: 365 * DAY, stepMs: 2 * DAY },
] as const;
export type Period = (typeof PERIODS)[number];

export function periodNamed(name: string, otherwise: Period["value"]): Period {
  const named = (wanted: string) => PERIODS.find(({ value }) => value === wanted);
  return named(name) ?? named(otherwise) ?? PERIODS[0];
}

/**
 * The begin of the period, and of a step: a chart begins with a whole step, and a table beside it counts
 * the same attempts. So a question also stays the same for a while.
 */
export const beginOf = ({ ms, stepMs }: Pick<Period, "ms" | "stepMs">, now: number): string =>
  new Date(Math.floor((now - ms) / stepMs) * stepMs).toISOString();
