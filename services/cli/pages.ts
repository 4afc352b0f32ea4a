/** A list comes in pages; this asks for them one after the other. */

export interface Page<T> {
  rows: readonly T[];
  next: string | null;
}

/** Small enough that a page of the longest rows fits into one message (codec.ts). */
export const PAGE = 200;

/** At most `limit` rows; `next` is not null when there are more. */
export async function readPages<T>(
  limit: number,
  ask: (page: { limit: number; after: string | null }) => Promise<Page<T>>,
): Promise<{ rows: T[]; next: string | null }> {
  const rows: T[] = [];
  let next: string | null = null;
  do {
    const page = await ask({ limit: Math.min(PAGE, limit - rows.length), after: next });
    rows.push(...page.rows);
    next = page.next;
  } while (next !== null && rows.length < limit);
  return { rows, next };
}
