/** A list comes in pages; this asks for them one after the other. */

export interface Page<T> {
  rows: readonly T[];
  next: string | null;
}

/** As many rows as a coordinator gives at most; it gives fewer where they would not fit. */
const PAGE = 1000;

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
