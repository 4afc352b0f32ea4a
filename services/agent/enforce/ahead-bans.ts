/**
 * Bans that the agent knows before its mirror of the bucket has read them: NATS has delivered them
 * ahead of older ones.
 *
 * Invariant: such a ban counts until the mirror has read up to its revision. Then the mirror has
 * this state of the ban, or a later one.
 */
import type { AheadEntry, MirrorEntry } from "../../nats/bucket-mirror.ts";
import type { HostBan } from "./ban-filter.ts";

export interface AheadBans {
  note(entry: AheadEntry<HostBan>): void;
  /** The mirror has read this revision of a ban. */
  forgetRead(key: string, revision: number): void;
  /** The mirror has read everything up to this revision. */
  forgetAllRead(revision: number): void;
  /** NATS has another bucket now: revisions of the one before say nothing. */
  forgetOtherBuckets(bucketId: string): void;
  /** Whether NATS has delivered a state of this ban ahead; it may say that the ban is deleted. */
  has(key: string): boolean;
  get(key: string): HostBan | undefined;
  /** Whether NATS has delivered exactly this state of the ban ahead. */
  hasState(key: string, revision: number): boolean;
  bans(): Iterable<[string, HostBan]>;
  /** The bans of the mirror, where each ban that is ahead stands in for its older state. */
  over(entries: ReadonlyMap<string, MirrorEntry<HostBan>>): Iterable<[string, HostBan]>;
}

export function createAheadBans(): AheadBans {
  const ahead = new Map<string, AheadEntry<HostBan>>();

  function* bans(): Iterable<[string, HostBan]> {
    for (const [key, { value }] of ahead) if (value) yield [key, value];
  }

  return {
    note: (entry) => void ahead.set(entry.key, entry),
    forgetRead(key, read) {
      const entry = ahead.get(key);
      if (entry && entry.revision <= read) ahead.delete(key);
    },
    forgetAllRead(read) {
      for (const [key, { revision }] of ahead) if (revision <= read) ahead.delete(key);
    },
    forgetOtherBuckets(present) {
      for (const [key, { bucketId }] of ahead) if (bucketId !== present) ahead.delete(key);
    },
    has: (key) => ahead.has(key),
    get: (key) => ahead.get(key)?.value,
    hasState: (key, revision) => ahead.get(key)?.revision === revision,
    bans,
    *over(entries) {
      for (const [key, { value }] of entries) if (!ahead.has(key)) yield [key, value];
      yield* bans();
    },
  };
}
