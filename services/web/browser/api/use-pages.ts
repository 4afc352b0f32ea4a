/** A list that comes in pages: the first page by itself, the others when they are asked for. */
import { useCallback, useEffect, useState } from "preact/hooks";
import { useApp } from "../app-context.ts";
import type { RequestError } from "./client.ts";
import type { Endpoint, Reply, Request } from "./messages.ts";
import { requestErrorOf } from "./use-query.ts";

/** What a list needs of a reply. */
export interface Page<Row> {
  rows: readonly Row[];
  next: string | null;
  total?: number;
  stale?: string | null;
}

export interface Pages<Row> {
  rows: readonly Row[] | undefined;
  total: number | undefined;
  stale: string | null;
  error: RequestError | undefined;
  isLoading: boolean;
  /** undefined: these are all. */
  more: (() => void) | undefined;
  /** Asks for the first page again. */
  retry: () => void;
  /** Every row, at most `most`, page by page. */
  all: (most: number, onCount: (rows: number) => void) => Promise<readonly Row[]>;
}

interface Loaded<Row> {
  key: string;
  rows?: readonly Row[];
  next: string | null;
  total?: number | undefined;
  stale: string | null;
  error?: RequestError;
}

export interface PagesOptions<E extends Endpoint, Row> {
  endpoint: E;
  /** Makes the question for the page behind `after`; the key says when it is another list. */
  request: (after: string | null, limit: number) => Request<E>;
  pageOf: (reply: Reply<E>) => Page<Row>;
}

const FIRST_PAGE = 50;
const WHOLE_PAGE = 1000;

export function usePages<E extends Endpoint, Row>(options: PagesOptions<E, Row>): Pages<Row> {
  const { client, changes } = useApp();
  const { endpoint, request, pageOf } = options;
  const key = JSON.stringify([endpoint, request(null, FIRST_PAGE)]);
  const [loaded, setLoaded] = useState<Loaded<Row>>({ key: "", next: null, stale: null });
  const [isLoading, setIsLoading] = useState(true);

  const load = useCallback(
    async (after: string | null, before: readonly Row[], signal?: AbortSignal) => {
      setIsLoading(true);
      try {
        const reply = await client.ask(endpoint, request(after, FIRST_PAGE), signal);
        const { rows, next, total, stale = null } = pageOf(reply);
        setLoaded({ key, rows: [...before, ...rows], next, total, stale });
      } catch (error) {
        if (signal?.aborted) return;
        setLoaded((kept) => ({ ...rowsOf(kept, key), key, error: requestErrorOf(error) }));
      }
      setIsLoading(false);
    },
    // `key` stands for the question that `request` makes.
    [client, endpoint, key],
  );

  useEffect(() => {
    const stopped = new AbortController();
    void load(null, [], stopped.signal);
    return () => stopped.abort();
  }, [load, changes]);

  async function all(most: number, onCount: (rows: number) => void): Promise<readonly Row[]> {
    const rows: Row[] = [];
    let after: string | null = null;
    do {
      const reply: Reply<E> = await client.ask(endpoint, request(after, WHOLE_PAGE));
      const page = pageOf(reply);
      rows.push(...page.rows);
      after = page.next;
      onCount(rows.length);
    } while (after !== null && rows.length < most);
    return rows.slice(0, most);
  }

  const { rows, next, total, stale, error } = loaded;
  return {
    rows,
    total,
    stale,
    error: loaded.key === key ? error : undefined,
    isLoading,
    more: next === null ? undefined : () => void load(next, rows ?? []),
    retry: () => void load(null, []),
    all,
  };
}

/** What was loaded of the same list; rows of another list are no answer to the present question. */
function rowsOf<Row>(kept: Loaded<Row>, key: string): Omit<Loaded<Row>, "key" | "error"> {
  if (kept.key !== key) return { next: null, stale: null };
  const { rows, next, total, stale } = kept;
  return { ...(rows && { rows }), next, total, stale };
}
