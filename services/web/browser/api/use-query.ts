/** Questions to the coordinator as hooks: asked when they change, after commands, and now and then. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { useApp } from "../app-context.ts";
import { RequestError } from "./client.ts";
import type { Endpoint, Reply, Request } from "./messages.ts";

export interface Query<T> {
  /** The last answer; it stays while the next one is awaited. */
  data: T | undefined;
  /** Why the last question was not answered. */
  error: RequestError | undefined;
  isLoading: boolean;
  /** The last answer is the answer to the present question. */
  isCurrent: boolean;
  refresh: () => void;
}

interface Asked<T> {
  key: string;
  data?: T;
  error?: RequestError;
}

/** `request` undefined: nothing is asked. `everyMs`: asked again while the page is seen. */
export function useQuery<E extends Endpoint>(
  endpoint: E,
  request: Request<E> | undefined,
  { everyMs }: { everyMs?: number } = {},
): Query<Reply<E>> {
  const { client, changes } = useApp();
  const key = request === undefined ? "" : `${endpoint} ${JSON.stringify(request)}`;
  const latest = useRef(request);
  latest.current = request;
  const [asked, setAsked] = useState<Asked<Reply<E>>>({ key: "" });
  const [isLoading, setIsLoading] = useState(key !== "");
  const [round, setRound] = useState(0);

  useEffect(() => {
    const wanted = latest.current;
    if (key === "" || wanted === undefined) return;
    const stopped = new AbortController();
    setIsLoading(true);
    client.ask(endpoint, wanted, stopped.signal).then(
      (data) => {
        setAsked({ key, data });
        setIsLoading(false);
      },
      (error: unknown) => {
        if (stopped.signal.aborted) return;
        setAsked((before) => ({ ...before, key, error: requestErrorOf(error) }));
        setIsLoading(false);
      },
    );
    return () => stopped.abort();
  }, [client, endpoint, key, changes, round]);

  const refresh = useCallback(() => setRound((before) => before + 1), []);
  useInterval(refresh, key === "" ? undefined : everyMs);
  // The answer to another question is not shown as the answer to this one.
  const isOfOther = asked.key.split(" ", 1)[0] !== endpoint || key === "";
  return {
    data: isOfOther ? undefined : asked.data,
    error: asked.key === key ? asked.error : undefined,
    isLoading: isLoading && key !== "",
    isCurrent: asked.key === key && asked.data !== undefined,
    refresh,
  };
}

export const requestErrorOf = (error: unknown): RequestError =>
  error instanceof RequestError
    ? error
    : new RequestError(`the page could not ask: ${String(error)}`, { cause: error });

/** Calls `act` at an interval while the page is visible, and at once when it becomes visible again. */
export function useInterval(act: () => void, everyMs: number | undefined): void {
  useEffect(() => {
    if (everyMs === undefined) return;
    const timer = setInterval(() => {
      if (!document.hidden) act();
    }, everyMs);
    const whenSeen = () => {
      if (!document.hidden) act();
    };
    document.addEventListener("visibilitychange", whenSeen);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", whenSeen);
    };
  }, [act, everyMs]);
}

/** The time, to the second or as often as is said. */
export function useNow(everyMs = 15_000): number {
  const [now, setNow] = useState(Date.now);
  useInterval(
    useCallback(() => setNow(Date.now()), []),
    everyMs,
  );
  return now;
}
