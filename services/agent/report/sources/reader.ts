/**
 * What reads the lines of one source of the configuration: a file, a journal, or the files that
 * match a pattern. Each of its lanes has positions of its own.
 */
import type { Bookmark } from "../checkpoint.ts";
import type { Chunk, Source } from "./source.ts";

export interface Reader {
  /** Begins to read. */
  start(): void;
  /** Where each lane stands. */
  bookmarks(): Record<string, Bookmark>;
  state(): "reading" | "waiting" | "failed";
  /** Why it cannot be read, and what to do about it where that is known. */
  trouble(): string | undefined;
  /** Bytes that are written and were not handed out yet, as far as that can be told. */
  lag(): number;
  stop(): void;
}

/** Nothing more is read of the lane until the promise that it returns resolves. */
export type OnLines = (lane: string, chunk: Chunk) => Promise<void> | undefined;

/** A reader with one lane. */
export function readerOf(lane: string, source: Source<Bookmark>): Reader {
  return {
    start: () => source.start(),
    bookmarks(): Record<string, Bookmark> {
      const bookmark = source.bookmark();
      return bookmark ? { [lane]: bookmark } : {};
    },
    state: () => source.state(),
    trouble: () => source.trouble(),
    lag: () => source.lag(),
    stop: () => source.stop(),
  };
}
