/** What has become of the entries of a list, as the replies to its parts say it. */
import type { Address } from "../../wire/address.ts";
import { FIRST } from "../../wire/reach.ts";

export interface ImportOutcome {
  added: number;
  kept: number;
  refused: { address: Address; reason: string }[];
  refusedCount: number;
}

export const newOutcome = (): ImportOutcome => ({
  ...{ added: 0, kept: 0, refused: [], refusedCount: 0 },
});

export function refuse(outcome: ImportOutcome, address: Address, reason: string): void {
  outcome.refusedCount += 1;
  if (outcome.refused.length < FIRST) outcome.refused.push({ address, reason });
}

/** When an entry ends; undefined: it does not say. */
export function endOfRow(
  { until, seconds }: { until?: number | null | undefined; seconds?: number | null | undefined },
  now: number,
): number | null | undefined {
  if (until !== undefined) return until;
  return seconds === undefined || seconds === null ? seconds : now + seconds * 1000;
}

/**
 * Is what ends at `present` as good as what is to end at `wanted`? A list that is sent again after
 * an interruption asks for an end that is a little later, and writes nothing again: what has nine
 * tenths of its time left stays as it is. An instant that the list itself names is meant exactly.
 */
export function isAsLong(
  present: number | null,
  wanted: { until: number | null; isExact: boolean },
  now: number,
): boolean {
  if (present === null) return true;
  const { until, isExact } = wanted;
  if (until === null) return false;
  const slack = isExact ? 0 : (until - now) / 10;
  return present >= until - slack;
}
