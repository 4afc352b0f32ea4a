/** Which failures have been counted: an agent that restarts sends again what may have been lost. */
import type { Failure, FailureBatch } from "../../wire/failure.ts";

export interface DuplicateFilter {
  /** The batch's failures that have not been seen before, and notes them as seen. */
  take(batch: FailureBatch): Failure[];
  /** Forgets sources of which nothing was heard since `before`. */
  sweep(before: number): void;
}

/**
 * Sources and epochs that are remembered of one host. An honest one has a few; one that makes
 * up ever new ones forgets its own, and takes nobody else's room.
 */
const PER_HOST = 256;

interface End {
  /** Up to there everything was covered. */
  position: number;
  at: number;
}

export function createDuplicateFilter(now: () => number): DuplicateFilter {
  /** Per host, by source and epoch; the longest untouched first. */
  const hosts = new Map<string, Map<string, End>>();

  function endsOf(host: string): Map<string, End> {
    const known = hosts.get(host);
    if (known) return known;
    const made = new Map<string, End>();
    hosts.set(host, made);
    return made;
  }

  return {
    take(batch) {
      const ends = endsOf(batch.host);
      const source = `${batch.source}/${batch.epoch}`;
      const position = ends.get(source)?.position ?? -1;
      ends.delete(source);
      ends.set(source, { position: Math.max(position, batch.to), at: now() });
      const [oldest] = ends.keys();
      if (ends.size > PER_HOST && oldest !== undefined) ends.delete(oldest);
      if (batch.from >= position) return batch.failures;
      return batch.failures.filter((failure) => failure.position > position);
    },
    sweep(before) {
      for (const [host, ends] of hosts) {
        for (const [source, { at }] of ends) if (at < before) ends.delete(source);
        if (ends.size === 0) hosts.delete(host);
      }
    },
  };
}
