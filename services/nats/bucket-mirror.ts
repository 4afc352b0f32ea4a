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
import { followBucket, type BucketEntry, type BucketReader } from "./follow-bucket.ts";
import { withResolvers } from "../process/with-resolvers.ts";

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
  const { connection, bucket, ahead, readWhen, log } = options;
  const copy = new BucketCopy(options);
  const following = followBucket(
    { connection, bucket, connectBeside: ahead?.connectBeside, readWhen, log },
    copy,
  );
  return {
    entries: copy.entries,
    state: () => copy.state,
    revision: () => copy.revision,
    ready: copy.ready,
    wrote: (key, value, revision) => copy.wrote(key, value, revision),
    stop: () => following.stop(),
  };
}

class BucketCopy<T> implements BucketReader {
  readonly #options: MirrorOptions<T>;
  readonly entries = new Map<string, MirrorEntry<T>>();
  /** Keys of entries that cannot be decoded. */
  readonly #unreadable = new Set<string>();
  state: MirrorState = { phase: "unread" };
  /** The highest revision that this reading has shown, or that we have written. */
  revision = 0;
  /** Keys that this reading has not shown yet, or in an older state only. */
  #unseen = new Set<string>();
  /** The newest states that this reading has shown of such keys. */
  readonly #outdated = new Map<string, BucketEntry>();
  readonly #read = withResolvers();
  readonly ready = this.#read.promise;

  constructor(options: MirrorOptions<T>) {
    this.#options = options;
  }

  begin(bucketId: string, last: number): void {
    this.#unseen = new Set([...this.entries.keys(), ...this.#unreadable]);
    this.#outdated.clear();
    this.revision = 0;
    this.state = { phase: "loading", bucketId };
    this.#options.onEvent({ type: "loading", bucketId, last });
  }

  entry(entry: BucketEntry): void {
    const { key } = entry;
    this.revision = Math.max(this.revision, entry.revision);
    const known = this.entries.get(key);
    if (known && this.#isOutdated(known, entry)) {
      this.#outdated.set(key, entry); // The state that the copy has may follow.
      return;
    }
    this.#outdated.delete(key);
    const isFirst = this.#unseen.delete(key);
    if (known && this.#isSame(known, entry)) return;
    if (known && isFirst && known.bucketId !== this.#bucketId()) this.#lose(key, known);
    // Our own write may be known before NATS shows the one before it.
    else if (known && known.revision >= entry.revision) return;
    this.#putOrRemove(entry);
  }

  caughtUp(missing: number): void {
    if (this.state.phase === "unread") return;
    const { bucketId } = this.state;
    const isWhole = missing === 0;
    if (isWhole) this.#loseUnseen();
    this.state = { phase: "live", bucketId };
    this.#options.onEvent({ type: "live", bucketId, isWhole });
    this.#read.resolve();
  }

  ahead({ key, value: bytes, ...written }: BucketEntry, bucketId: string): void {
    const known = this.entries.get(key);
    if (known?.bucketId === bucketId && known.revision >= written.revision) return;
    const decoded = bytes && this.#decodeOrExplain(bytes, key);
    if (decoded && "reason" in decoded) return; // It is reported in its turn.
    this.#options.ahead?.onEntry({ key, value: decoded?.value, bucketId, ...written });
  }

  wrote(key: string, value: T, revision: number): void {
    const known = this.entries.get(key);
    this.revision = Math.max(this.revision, revision);
    if (known && known.revision >= revision && !this.#unseen.has(key)) return;
    this.#unseen.delete(key);
    this.#unreadable.delete(key);
    this.#put(key, { value, revision, bucketId: this.#bucketId(), writtenAt: undefined });
  }

  #bucketId(): string {
    return this.state.phase === "unread" ? "" : this.state.bucketId;
  }

  /** Whether it was written before what the copy has, or has another content under the same number. */
  #isOutdated(known: MirrorEntry<T>, entry: BucketEntry): boolean {
    if (!this.#unseen.has(entry.key) || known.bucketId !== this.#bucketId()) return false;
    return entry.revision <= known.revision && !this.#isSame(known, entry);
  }

  #isSame(known: MirrorEntry<T>, entry: BucketEntry): boolean {
    const isSameTime = known.writtenAt === undefined || known.writtenAt === entry.writtenAt;
    return known.revision === entry.revision && isSameTime && known.bucketId === this.#bucketId();
  }

  #putOrRemove({ key, value: bytes, revision, writtenAt }: BucketEntry): void {
    if (bytes === undefined) {
      this.#remove(key);
      return;
    }
    const decoded = this.#decodeOrExplain(bytes, key);
    if ("reason" in decoded) {
      this.#noteUnreadable(key, decoded.reason);
      return;
    }
    this.#unreadable.delete(key);
    this.#put(key, { value: decoded.value, revision, bucketId: this.#bucketId(), writtenAt });
  }

  #put(key: string, entry: MirrorEntry<T>): void {
    const previous = this.entries.get(key)?.value;
    this.entries.set(key, entry);
    const { value, writtenAt } = entry;
    this.#options.onEvent({ type: "put", key, value, previous, writtenAt });
  }

  #remove(key: string): void {
    const previous = this.entries.get(key)?.value;
    this.entries.delete(key);
    this.#unreadable.delete(key);
    this.#options.onEvent({ type: "deleted", key, previous });
  }

  #noteUnreadable(key: string, reason: string): void {
    const previous = this.entries.get(key)?.value;
    this.entries.delete(key);
    this.#unreadable.add(key);
    this.#options.onEvent({ type: "unreadable", key, previous, reason });
  }

  #lose(key: string, { value: previous, bucketId }: MirrorEntry<T>): void {
    this.entries.delete(key);
    const isSameBucket = bucketId === this.#bucketId();
    this.#options.onEvent({ type: "rolled-back", key, previous, isSameBucket });
  }

  /** NATS has lost these keys, or the newest of their states. */
  #loseUnseen(): void {
    for (const key of this.#unseen) {
      const known = this.entries.get(key);
      const older = this.#outdated.get(key);
      if (known) this.#lose(key, known);
      else this.#remove(key);
      if (older) this.#putOrRemove(older);
    }
    this.#unseen.clear();
    this.#outdated.clear();
  }

  #decodeOrExplain(bytes: Uint8Array, key: string): { value: T } | { reason: string } {
    try {
      return { value: this.#options.decode(bytes, key) };
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return { reason: error.message };
    }
  }
}
