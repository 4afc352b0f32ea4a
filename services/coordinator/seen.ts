/** Which failures have been counted: an agent that restarts sends again what may have been lost. */
import type { Failure, FailureBatch } from "../wire/failure.ts";

export interface Seen {
  /** The batch's failures that have not been seen before, and notes them as seen. */
  take(batch: FailureBatch): Failure[];
  /** Forgets sources of which nothing was heard since `before`. */
  sweep(before: number): void;
}

export function createSeen(now: () => number): Seen {
  /** Per source and epoch: the end of what was covered, and when that was. */
  const ends = new Map<string, { position: number; at: number }>();
  return {
    take(batch) {
      const source = `${batch.host}/${batch.source}/${batch.epoch}`;
      const position = ends.get(source)?.position ?? -1;
      ends.set(source, { position: Math.max(position, batch.to), at: now() });
      if (batch.from >= position) return batch.failures;
      return batch.failures.filter((failure) => failure.position > position);
    },
    sweep(before) {
      for (const [source, { at }] of ends) if (at < before) ends.delete(source);
    },
  };
}
