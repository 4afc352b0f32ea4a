/** Where a list goes on: behind the time and the id of a row. Lists go from newest to oldest. */

/** A row, and `after` of the list that begins behind it. */
export interface Marked<T> {
  row: T;
  mark: string;
}

/** The first and the last instant that PostgreSQL and ISO 8601 both spell. */
export const FIRST_MS = Date.parse("0001-01-01T00:00:00.000Z");
export const LAST_MS = Date.parse("9999-12-31T23:59:59.999Z");

export function markOf(at: Date, id: bigint | string): string {
  return `${at.getTime()}/${id}`;
}

export function placeOfMark(mark: string): { at: Date; id: string } {
  const slash = mark.indexOf("/");
  const at = Math.min(Math.max(Number(mark.slice(0, slash)), FIRST_MS), LAST_MS);
  return { at: new Date(at), id: mark.slice(slash + 1) };
}
