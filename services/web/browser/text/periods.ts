/** Periods that end now, by the names that stand in links. */

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

export const PERIODS = [
  { value: "1h", label: "1 h", words: "the last hour", ms: HOUR },
  { value: "6h", label: "6 h", words: "the last 6 hours", ms: 6 * HOUR },
  { value: "24h", label: "24 h", words: "the last 24 hours", ms: DAY },
  { value: "7d", label: "7 d", words: "the last 7 days", ms: 7 * DAY },
  { value: "30d", label: "30 d", words: "the last 30 days", ms: 30 * DAY },
  { value: "90d", label: "90 d", words: "the last 90 days", ms: 90 * DAY },
  { value: "1y", label: "1 y", words: "the last year", ms: 365 * DAY },
] as const;
export type Period = (typeof PERIODS)[number];

export function periodNamed(name: string, otherwise: Period["value"]): Period {
  const named = (wanted: string) => PERIODS.find(({ value }) => value === wanted);
  return named(name) ?? named(otherwise) ?? PERIODS[0];
}

/** The begin of the period, to the minute, so that a question stays the same for a while. */
export const beginOf = ({ ms }: Period, now: number): string =>
  new Date(Math.floor((now - ms) / 60_000) * 60_000).toISOString();
