/**
 * Cuts lists to what one reply can hold. NATS refuses a message over its limit as a whole, so the
 * rows of a reply are counted in bytes, as they will be written, and the rest waits for the next
 * page. What stands beside the rows is bounded by its schema (wire/api.ts).
 */
import * as z from "zod";
import { FIRST } from "../../wire/reach.ts";
import { MAX_ROWS } from "../../wire/request-fields.ts";
import { inSlices } from "../../process/slices.ts";
import type { Marked } from "../history/marks.ts";

export interface Page<T> {
  rows: T[];
  /** null: these are the last rows. */
  next: string | null;
}

/** Bytes for the rows of a reply; a reply with several lists shares them out. */
export const ROWS_BYTES = 750_000;

/** The first rows, at most `limit`, that take at most `bytes` together; one row always fits. */
export function firstRows<T>(
  rows: readonly T[],
  schema: z.ZodType<T>,
  { limit = FIRST, bytes = ROWS_BYTES }: { limit?: number; bytes?: number } = {},
): T[] {
  let left = bytes;
  const end = rows.slice(0, limit).findIndex((row) => {
    left -= Buffer.byteLength(JSON.stringify(z.encode(schema, row))) + 1;
    return left < 0;
  });
  return rows.slice(0, end < 0 ? limit : Math.max(end, 1));
}

/** The page that `found` begins with. `found` has more than `limit` rows where more may follow. */
export function pageOf<T>(
  found: readonly Marked<T>[],
  schema: z.ZodType<T>,
  limit = MAX_ROWS,
): Page<T> {
  const rows = firstRows(
    found.map(({ row }) => row),
    schema,
    { limit },
  );
  const isEnd = rows.length === found.length;
  return { rows, next: isEnd ? null : (found[rows.length - 1]?.mark ?? null) };
}

/** The entries of a sorted list behind `after`. */
export function behind<T>(sorted: readonly Marked<T>[], after: string | null): Marked<T>[] {
  if (after === null) return [...sorted];
  return sorted.filter(({ mark }) => mark > after);
}

export interface Wanted<T> {
  isWanted: (entry: T) => boolean;
  /** In the order of what this returns. */
  nameOf: (entry: T) => string;
  after: string | null;
  count: number;
}

/**
 * The first `count` of the wanted entries whose names come after `after`, and the number of all
 * wanted entries. Never sorts more than twice `count` entries, for there may be a million.
 */
export async function firstAfter<T>(
  entries: Iterable<T>,
  { isWanted, nameOf, after, count }: Wanted<T>,
): Promise<{ first: Marked<T>[]; total: number }> {
  let first: Marked<T>[] = [];
  let total = 0;
  /** There are `count` entries up to this name. */
  let last: string | undefined;
  const keepFirst = () => {
    first = first.sort((a, b) => (a.mark < b.mark ? -1 : 1)).slice(0, count);
    if (first.length === count) last = first.at(-1)?.mark;
  };
  await inSlices(entries, (entry) => {
    if (!isWanted(entry)) return;
    total += 1;
    const mark = nameOf(entry);
    if ((after !== null && mark <= after) || (last !== undefined && mark >= last)) return;
    first.push({ row: entry, mark });
    if (first.length >= 2 * count) keepFirst();
  });
  keepFirst();
  return { first, total };
}
