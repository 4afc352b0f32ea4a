/** Figures of how long bans have waited. */
import { percentile, type Figure } from "./figure.ts";
import type { MachineStalls, Span } from "./machine-stalls.ts";

/** Waits in which the machine itself stood still are shown apart. */
export function describeWaits(name: string, spans: readonly Span[], stalls: MachineStalls): Figure {
  const stood = spans.filter((span) => stalls.isIn(span)).map(lengthOf);
  const times = spans.filter((span) => !stalls.isIn(span)).map(lengthOf);
  return {
    ...{ name: `ban behind ${name}, longest`, value: Math.max(...times), unit: "ms" },
    ...{ p50: percentile(times, 0.5), p99: percentile(times, 0.99) },
    beside: {
      "of bans": times.length,
      ...(stood.length > 0 && { "longest when the machine stood still": Math.max(...stood) }),
    },
  };
}

const lengthOf = ({ from, until }: Span) => until - from;
