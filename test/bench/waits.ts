/** Figures of how long bans have waited. */
import { percentile, type Figure } from "./figure.ts";

/** From when until when, in milliseconds of the monotonic clock. */
export interface Span {
  from: number;
  until: number;
}

export function describeWaits(name: string, spans: readonly Span[]): Figure {
  const times = spans.map(({ from, until }) => until - from);
  return {
    ...{ name: `ban behind ${name}, longest`, value: Math.max(...times), unit: "ms" },
    ...{ p50: percentile(times, 0.5), p99: percentile(times, 0.99) },
    beside: { "of bans": times.length },
  };
}
