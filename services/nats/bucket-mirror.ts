/**
 * A read-only copy of one bucket that follows every change. It survives reconnects, a bucket that
 * is made anew, and a bucket whose last writes NATS has lost in a power failure.
 *
 * Invariants:
 * - An entry leaves the copy only because NATS shows that it is gone: by a deletion, or because
 *   everything was read that the bucket has (see end-proof.ts and follow-bucket.ts) and the entry
 *   was not among it.
 * - Every difference between two states of the copy is reported by one event, and in order.
 */
import type { NatsConnection } from "@nats-io/nats-core";
import type { Log } from "../process/log.ts";
import { WireError } from "../wire/codec.ts";
import { followBucket, type BucketEntry } from "./follow-bucket.ts";

export interface MirrorEntry<T> {
  value: T;
  revision: number;
  /** Names the bucket that the revision counts in. */
  bucketId: string;
  /** By NATS's clock, epoch milliseconds; undefined: we wrote it, and NATS did not say when. */
  writtenAt: number | undefined;
}

export type MirrorEvent<T> =
  /** The bucket is read from its beginning. `last` is its highest revision. */
  | { type: "loading"; bucketId: string; last: number }
  | { type: "put"; key: string; value: T; previous: T | undefined; writtenAt: number | undefined }
  | { type: "deleted"; key: string; previous: T | undefined }
  /**
   * NATS has lost the entry, or its newest writes: in a power failure, or with the whole bucket
   * (`isSameBucket` is false). A "put" follows where an older state of the entry is left.
   */
  | { type: "rolled-back"; key: string; previous: T; isSameBucket: boolean }
  /** Somebody who is no program of this fleet has written the entry. The copy no longer has it. */
  | { type: "unreadable"; key: string; previous: T | undefined; reason: string }
  /**
   * Every entry of the bucket has been reported. `isWhole` is false if the number of entries
   * contradicts that; then the bucket is read again soon.
   */
  | { type: "live"; bucketId: string; isWhole: boolean };

/**
 * One of the newest entries, which the copy does not have yet because it still reads older ones. It
 * is an event in its turn. `value` is undefined where the key was deleted.
 */
export interface AheadEntry<T> {
  key: string;
  value: T | undefined;
  revision: number;
  bucketId: string;
  writtenAt: number;
}

export type MirrorState =
  | { phase: "unread" }
  | { phase: "loading"; bucketId: string }
  | { phase: "live"; bucketId: string };

export interface BucketMirror<T> {
  readonly entries: ReadonlyMap<string, MirrorEntry<T>>;
  state(): MirrorState;
  /** The highest revision that this reading has shown, or that we have written. */
  revision(): number;
  /** Resolves when everything has been read once. */
  readonly ready: Promise<void>;
  /** We have written this: the copy has it at once, and does not report it again. */
  wrote(key: string, value: T, revision: number): void;
  stop(): void;
}

export interface MirrorOptions<T> {
  connection: NatsConnection;
  bucket: string;
  /** Throws a WireError for an entry that no program of this fleet has written. */
  decode: (value: Uint8Array, key: string) => T;
  onEvent: (event: MirrorEvent<T>) => void;
  /** The bucket is read from its beginning only after this. */
  readWhen?: Promise<void>;
  /** Reports the newest entries ahead, which come by another connection to the same NATS. */
  ahead?: {
    connectBeside: () => Promise<NatsConnection>;
    onEntry: (entry: AheadEntry<T>) => void;
  };
  log: Log;
}

export function mirrorBucket<T>(options: MirrorOptions<T>): BucketMirror<T> {
  const { connection, bucket, ahead, decode, onEvent, log } = options;
  const entries = new Map<string, MirrorEntry<T>>();
  let state: MirrorState = { phase: "unread" };
  /** Keys of entries that cannot be decoded. */
  const unreadable = new Set<string>();
  let revision = 0;
  /** Keys that this reading has not shown yet, or in an older state only. */
  let unseen = new Set<string>();
  /** The newest states that this reading has shown of such keys. */
  const outdated = new Map<string, BucketEntry>();
  let settle: () => void = () => {};
  const ready = new Promise<void>((resolve) => (settle = resolve));

  function begin(id: string, last: number): void {
    unseen = new Set([...entries.keys(), ...unreadable]);
    outdated.clear();
    revision = 0;
    state = { phase: "loading", bucketId: id };
    onEvent({ type: "loading", bucketId: id, last });
  }

  const bucketId = () => (state.phase === "unread" ? "" : state.bucketId);

  function take(entry: BucketEntry): void {
    const { key } = entry;
    revision = Math.max(revision, entry.revision);
    const known = entries.get(key);
    if (known && isOutdated(known, entry)) {
      outdated.set(key, entry); // The state that the copy has may follow.
      return;
    }
    outdated.delete(key);
    const isFirst = unseen.delete(key);
    if (known && isSame(known, entry)) return;
    if (known && isFirst && known.bucketId !== bucketId()) lose(key, known);
    // Our own write may be known before NATS shows the one before it.
    else if (known && known.revision >= entry.revision) return;
    putOrRemove(entry);
  }

  function putOrRemove(entry: BucketEntry): void {
    if (entry.value === undefined) remove(entry.key);
    else put(entry, entry.value);
  }

  /** Whether it was written before what the copy has, or has another content under the same number. */
  function isOutdated(known: MirrorEntry<T>, entry: BucketEntry): boolean {
    if (!unseen.has(entry.key) || known.bucketId !== bucketId()) return false;
    return entry.revision <= known.revision && !isSame(known, entry);
  }

  function isSame(known: MirrorEntry<T>, entry: BucketEntry): boolean {
    const isSameTime = known.writtenAt === undefined || known.writtenAt === entry.writtenAt;
    return known.revision === entry.revision && isSameTime && known.bucketId === bucketId();
  }

  function lose(key: string, { value: previous, bucketId: id }: MirrorEntry<T>): void {
    entries.delete(key);
    onEvent({ type: "rolled-back", key, previous, isSameBucket: id === bucketId() });
  }

  function remove(key: string): void {
    const previous = entries.get(key)?.value;
    entries.delete(key);
    unreadable.delete(key);
    onEvent({ type: "deleted", key, previous });
  }

  function put(entry: BucketEntry, bytes: Uint8Array): void {
    const { key, writtenAt } = entry;
    const previous = entries.get(key)?.value;
    const decoded = decodeOrExplain(bytes, key);
    if ("reason" in decoded) {
      entries.delete(key);
      unreadable.add(key);
      onEvent({ type: "unreadable", key, previous, reason: decoded.reason });
      return;
    }
    const { value } = decoded;
    unreadable.delete(key);
    entries.set(key, { value, revision: entry.revision, bucketId: bucketId(), writtenAt });
    onEvent({ type: "put", key, value, previous, writtenAt });
  }

  function decodeOrExplain(bytes: Uint8Array, key: string): { value: T } | { reason: string } {
    try {
      return { value: decode(bytes, key) };
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return { reason: error.message };
    }
  }

  /** NATS has lost these keys, or the newest of their states. */
  function loseUnseen(): void {
    for (const key of unseen) {
      const known = entries.get(key);
      const older = outdated.get(key);
      if (known) lose(key, known);
      else remove(key);
      if (older) putOrRemove(older);
    }
    unseen.clear();
    outdated.clear();
  }

  function takeAhead({ key, value: bytes, ...written }: BucketEntry, created: string): void {
    const known = entries.get(key);
    if (known?.bucketId === created && known.revision >= written.revision) return;
    const decoded = bytes && decodeOrExplain(bytes, key);
    if (decoded && "reason" in decoded) return; // It is reported in its turn.
    ahead?.onEntry({ key, value: decoded?.value, bucketId: created, ...written });
  }

  function finish(isWhole: boolean): void {
    if (state.phase === "unread") return;
    if (isWhole) loseUnseen();
    state = { phase: "live", bucketId: bucketId() };
    onEvent({ type: "live", bucketId: state.bucketId, isWhole });
    settle();
  }

  const following = followBucket(
    { connection, bucket, connectBeside: ahead?.connectBeside, readWhen: options.readWhen, log },
    { begin, entry: take, ahead: takeAhead, caughtUp: (missing) => finish(missing === 0) },
  );

  return {
    entries,
    state: () => state,
    revision: () => revision,
    ready,
    wrote(key, value, written) {
      const known = entries.get(key);
      revision = Math.max(revision, written);
      if (known && known.revision >= written && !unseen.has(key)) return;
      unseen.delete(key);
      unreadable.delete(key);
      entries.set(key, { value, revision: written, bucketId: bucketId(), writtenAt: undefined });
      onEvent({ type: "put", key, value, previous: known?.value, writtenAt: undefined });
    },
    stop: () => following.stop(),
  };
}
