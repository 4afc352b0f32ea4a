/**
 * News as they come, by server-sent events. The browser connects again by itself, and names the last
 * event that it has seen, so that nothing is missed or told twice. One connection is open while
 * somebody listens.
 */
import type { News } from "./messages.ts";

/** "ended": the session is over; the browser does not connect again. */
export type FeedState = "connecting" | "live" | "lost" | "ended";

export interface FeedListener {
  onNews?: (news: News) => void;
  onState?: (state: FeedState) => void;
}

export interface Feed {
  /** Returns how to stop listening. */
  listen(listener: FeedListener): () => void;
}

/** `onEnded`: the server has ended the session. */
export function createFeed(base: string, onEnded: () => void): Feed {
  const listeners = new Set<FeedListener>();
  let source: EventSource | undefined;
  let state: FeedState = "connecting";

  function setState(next: FeedState): void {
    state = next;
    for (const { onState } of listeners) onState?.(next);
  }

  function open(): void {
    setState("connecting");
    const opened = new EventSource(`${base}/feed`);
    source = opened;
    opened.addEventListener("open", () => setState("live"));
    opened.addEventListener("news", ({ data }: MessageEvent<string>) => {
      const news = JSON.parse(data) as News;
      for (const { onNews } of listeners) onNews?.(news);
    });
    opened.addEventListener("ended", () => {
      close();
      setState("ended");
      onEnded();
    });
    opened.addEventListener("error", () => {
      // A closed source was refused, which is how a session ends for a page that was asleep.
      const isRefused = opened.readyState === EventSource.CLOSED;
      setState("lost");
      if (!isRefused || source !== opened) return;
      close();
      onEnded();
    });
  }

  function close(): void {
    source?.close();
    source = undefined;
  }

  return {
    listen(listener) {
      listeners.add(listener);
      if (source) listener.onState?.(state);
      else open();
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) close();
      };
    },
  };
}
