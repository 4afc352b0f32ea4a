/** A list comes in pages; this asks for them one after the other. */

/** Where a page begins, and how many rows it may have at most. */
interface PageRequest {
  limit: number;
  after: string | null;
}

/** As many rows as a coordinator gives at most; it gives fewer where they would not fit. */
const PAGE = 1000;

/**
 * The last page's reply, with the rows of all pages under `name`: at most `limit` rows. Its `next` is
 * not null when there are more.
 */
export async function readPages<
  Name extends string,
  Reply extends Readonly<Record<Name, readonly unknown[]>> & { next: string | null },
>(name: Name, limit: number, ask: (page: PageRequest) => Promise<Reply>): Promise<Reply> {
  const rows: unknown[] = [];
  let after: string | null = null;
  for (;;) {
    const reply = await ask({ limit: Math.min(PAGE, limit - rows.length), after });
    rows.push(...reply[name]);
    after = reply.next;
    if (after === null || rows.length >= limit) return { ...reply, [name]: rows };
  }
}
