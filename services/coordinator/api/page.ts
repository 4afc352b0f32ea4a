/**
 * Cuts lists to what one reply can hold. NATS refuses a message over its limit as a whole, so the
 * rows of a reply are counted in bytes, as they will be written, and the rest waits for the next
 * page. What stands beside the rows is bounded by its schema (wire/api.ts).
 */
import * as z from "zod";
import { FIRST } from "../../wire/reach.ts";
import { MAX_ROWS } from "../../wire/request-fields.ts";
import { firstInSlices, inSlices } from "../../process/slices.ts";
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
  /**
   * Begins to read the entries behind `after` in the order of their names; undefined: nobody knows
   * that order. Used only where most entries are wanted, because there the first ones come soon.
   */
  inOrder?: (() => Iterable<T>) | undefined;
}

/**
 * The first `count` of the wanted entries whose names come after `after`, and the number of all
 * wanted entries. Never sorts more than twice `count` entries, for there may be a million.
 */
export async function firstAfter<T>(
  entries: Iterable<T>,
  wanted: Wanted<T>,
): Promise<{ first: Marked<T>[]; total: number }> {
  const { isWanted, nameOf, count, inOrder } = wanted;
  const search = new FirstSearch(wanted);
  await inSlices(entries, (entry) => search.look(entry));
  if (!search.isDense || !inOrder) return { first: search.first(), total: search.total };
  const found = await firstInSlices(inOrder(), count, isWanted);
  const first = found.map((entry) => ({ row: entry, mark: nameOf(entry) }));
  return { first, total: search.total };
}

/** After this many entries the search decides whether most entries are wanted. */
const PROBED = 10_000;

/** Looks at every entry once. */
class FirstSearch<T> {
  readonly #wanted: Wanted<T>;
  #looked = 0;
  /** Wanted entries so far. */
  total = 0;
  /** Most of the first entries are wanted. The search only counts the others, because to compare their names takes long. */
  isDense = false;
  #first: Marked<T>[] = [];
  /** There are `count` entries up to this name; undefined: not yet. */
  #last: string | undefined;

  constructor(wanted: Wanted<T>) {
    this.#wanted = wanted;
  }

  look(entry: T): void {
    const { isWanted, nameOf, after, count, inOrder } = this.#wanted;
    this.#looked += 1;
    if (this.#looked === PROBED) this.isDense = inOrder !== undefined && 2 * this.total > PROBED;
    if (!isWanted(entry)) return;
    this.total += 1;
    if (this.isDense) return;
    const mark = nameOf(entry);
    if ((after !== null && mark <= after) || (this.#last !== undefined && mark >= this.#last))
      return;
    this.#first.push({ row: entry, mark });
    if (this.#first.length >= 2 * count) this.first();
  }

  first(): Marked<T>[] {
    const { count } = this.#wanted;
    this.#first = this.#first.sort((a, b) => (a.mark < b.mark ? -1 : 1)).slice(0, count);
    if (this.#first.length === count) this.#last = this.#first.at(-1)?.mark;
    return this.#first;
  }
}
