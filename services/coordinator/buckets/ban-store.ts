/**
 * The bans bucket, as this coordinator sees it: a mirror of all its entries and
 * the one way to change them.
 *
 * A change is a compare-and-set on one key, made from the entry of the mirror. If another
 * coordinator was quicker, the change is made again from the new entry. A write without an
 * acknowledgement may be stored or not: the store reads the entry to find out.
 */
import type { NatsConnection } from "@nats-io/nats-core";
import type { Log } from "../../process/log.ts";
import { mirrorBucket, type MirrorEvent } from "../../nats/bucket-mirror.ts";
import { createBucketWriter, isConflict, type Versioned } from "../../nats/compare-and-set.ts";
import { readLatest } from "../../nats/read-latest.ts";
import type { Address } from "../../wire/address.ts";
import { decodeBan, encodeBan, isDue, type Ban } from "../../wire/ban.ts";
import { WireError } from "../../wire/codec.ts";
import { BanCensus, type CountedBans } from "./ban-census.ts";
import { SortedKeys } from "./sorted-keys.ts";
import { isSpared } from "../../policy/spared-ban.ts";
import { BANS_BUCKET, banKey } from "../../wire/subjects.ts";

/** Makes the next state of an entry from its present one; undefined: leave it. */
export type Step = (present: Ban | undefined) => Ban | undefined;

export interface Written {
  ban: Ban;
  revision: number;
}

export interface BanEntry {
  key: string;
  ban: Ban;
  revision: number;
}

export interface BanStore {
  get(jail: string, address: Address): Ban | undefined;
  /** All entries, in the order of their keys' first appearance. */
  entries(): IterableIterator<BanEntry>;
  /** The entries behind the key in the order of their keys; null: all of them. They may change meanwhile. */
  entriesBehind(key: string | null): IterableIterator<BanEntry>;
  /** Applies `step` to the entry; returns what was written, undefined when nothing was. */
  change(jail: string, address: Address, step: Step): Promise<Written | undefined>;
  /** Deletes an entry with its history, if its revision is still this one. */
  purge(key: string, revision: number): Promise<void>;
  /**
   * Bans that must be written again: bans in force that somebody who is no coordinator has deleted or
   * overwritten since the last call (coordinators delete only bans that are over), and bans that NATS
   * has lost.
   */
  takeTampered(): Ban[];
  /** Bans that are held, or were until their time was over. */
  held(): Iterable<Ban>;
  /** How many bans are active, held and in shadow at `now`, by jail. */
  countDue(now: number): CountedBans[];
  /** Bans in force at `now`; one that ends may be counted up to a second longer. */
  countInForce(now: number): number;
  /** Resolves when every entry has been read once. */
  readonly ready: Promise<void>;
  isReady(): boolean;
  /** The highest revision seen. */
  revision(): number;
  /** The bucket that revisions count in. */
  created(): string | null;
  stop(): void;
}

export interface BanStoreOptions {
  connection: NatsConnection;
  log: Log;
  /** Called for every entry that is read or changes. */
  onBan: (ban: Ban, previous: Ban | undefined) => void;
  /** Called for every change after all entries were read once. */
  onChange?: (ban: Ban, previous: Ban | undefined) => void;
}

const PURGE_WITHIN_MS = 5_000;

export function openBanStore(options: BanStoreOptions): BanStore {
  const { connection, log, onBan, onChange } = options;
  let wasRead = false;
  const tampered = new Map<string, Ban>();
  /** While the bucket is read: keys whose last state so far is of an unauthorized writer, and why. */
  const suspects = new Map<string, string>();
  const held = new Map<string, Ban>();
  const keys = new SortedKeys();
  const census = new BanCensus();
  const writer = createBucketWriter(connection, BANS_BUCKET);
  const mirror = mirrorBucket({
    ...{ connection, bucket: BANS_BUCKET, decode: decodeBan, onEvent, log },
  });

  function onEvent(event: MirrorEvent<Ban>): void {
    noteHeld(event);
    noteEntry(event);
    switch (event.type) {
      case "loading":
        suspects.clear();
        return;
      case "live":
        wasRead = true;
        for (const [key, reason] of suspects) complain(key, reason);
        suspects.clear();
        return;
      case "put":
        suspects.delete(event.key);
        noteWritten(event.key, event.value, event.previous);
        if (wasRead) onChange?.(event.value, event.previous);
        return;
      case "deleted":
        if (event.previous && isOfWeight(event.previous, Date.now())) {
          noteTampered(event.key, event.previous, "deleted");
        }
        return;
      case "unreadable":
        noteTampered(event.key, event.previous, event.reason);
        return;
      case "rolled-back":
        // NATS loses what it has just stored when its machine loses power, or all that it has.
        if (event.isSameBucket || doesMatter(event.previous))
          tampered.set(event.key, event.previous);
        return;
    }
  }

  function noteEntry(event: MirrorEvent<Ban>): void {
    if (event.type === "loading" || event.type === "live") return;
    if (event.previous) census.remove(event.previous);
    if (event.type === "put") {
      census.add(event.value);
      if (!event.previous) keys.add(event.key);
    } else keys.delete(event.key);
  }

  function noteHeld(event: MirrorEvent<Ban>): void {
    if (event.type === "loading" || event.type === "live") return;
    if (event.type === "put" && isAnyHeld(event.value)) held.set(event.key, event.value);
    else held.delete(event.key);
  }

  function noteWritten(key: string, ban: Ban, previous: Ban | undefined): void {
    const missing = tampered.get(key);
    if (missing && missing.changedAt <= ban.changedAt) tampered.delete(key);
    onBan(ban, previous);
  }

  function noteTampered(key: string, previous: Ban | undefined, reason: string): void {
    if (previous) tampered.set(key, previous);
    // Older states are read first: a coordinator may have written the ban again long ago.
    if (mirror.state().phase === "live") complain(key, reason);
    else suspects.set(key, reason);
  }

  function complain(key: string, reason: string): void {
    log.error({ key, reason }, "ban was modified by an unauthorized writer");
  }

  async function read(key: string): Promise<Versioned<Ban>> {
    const { value, revision } = await readLatest(connection, BANS_BUCKET, key);
    try {
      return { value: value && decodeBan(value, key), revision };
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return { value: undefined, revision }; // tampered: written over
    }
  }

  const bucketId = () => {
    const state = mirror.state();
    return state.phase === "unread" ? null : state.bucketId;
  };

  /** Entries of a bucket that is no more are still in the mirror, until the new one is read. */
  const present = (key: string): Versioned<Ban> => {
    const entry = mirror.entries.get(key);
    const isOfBucket = entry?.bucketId === bucketId();
    return isOfBucket ? entry : { value: undefined, revision: 0 };
  };

  return {
    ready: mirror.ready,
    isReady: () => mirror.state().phase === "live",
    revision: mirror.revision,
    created: bucketId,
    get: (jail, address) => mirror.entries.get(banKey(jail, address))?.value,

    *entries() {
      for (const [key, { value, revision }] of mirror.entries) yield { key, ban: value, revision };
    },

    async change(jail, address, step) {
      const key = banKey(jail, address);
      const written = await writer.change({
        ...{ key, present: present(key), step, read, encode: encodeBan },
        isSame: (found, ours) => found.change === ours.change,
      });
      if (!written) return undefined;
      mirror.wrote(key, written.value, written.revision);
      return { ban: written.value, revision: written.revision };
    },

    async purge(key, expected) {
      try {
        await writer.erase(key, "PURGE", expected, PURGE_WITHIN_MS);
      } catch (error) {
        if (!isConflict(error)) throw error; // somebody has changed it: it stays
      }
    },

    takeTampered() {
      const taken = [...tampered.values()];
      tampered.clear();
      return taken;
    },

    held: () => held.values(),

    *entriesBehind(after) {
      for (const key of keys.behind(after)) {
        const entry = mirror.entries.get(key);
        if (entry) yield { key, ban: entry.value, revision: entry.revision };
      }
    },

    countDue: (now) => census.countDue(now),
    countInForce: (now) =>
      census
        .countDue(now)
        .reduce((sum, { state, count }) => (state === "active" ? sum + count : sum), 0),

    stop: mirror.stop,
  };
}

/** Is it in force, or could it be again by itself or by a command? */
const isOfWeight = (ban: Ban, now: number) => isDue(ban, now) || isSpared(ban, now);

/** PostgreSQL has the history of bans that are over. */
function doesMatter(ban: Ban): boolean {
  const now = Date.now();
  return isOfWeight(ban, now) || (ban.state === "lifted" && (ban.immuneUntil ?? 0) > now);
}

/** A held ban, or a ban in force on some hosts whose widening is held, whether over or not. */
const isAnyHeld = ({ state, held }: Ban): boolean =>
  state === "held" || (state === "active" && held !== undefined);
