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
import { mirrorBucket, type BucketMirror, type MirrorEvent } from "../../nats/bucket-mirror.ts";
import {
  createBucketWriter,
  isConflict,
  type BucketWriter,
  type Versioned,
} from "../../nats/compare-and-set.ts";
import { readLatest } from "../../nats/read-latest.ts";
import type { Address } from "../../wire/address.ts";
import { decodeBan, encodeBan, type Ban } from "../../wire/ban.ts";
import { WireError } from "../../wire/codec.ts";
import type { CountedBans } from "./ban-census.ts";
import { BanIndex, type BanPlace } from "./ban-index.ts";
import { TamperedBans } from "./tampered-bans.ts";
import { BANS_BUCKET, banKey } from "../../wire/subjects.ts";

/** Makes the next state of an entry from its present one, and its revision; undefined: leave it. */
export type Step = (present: Ban | undefined, revision: number) => Ban | undefined;

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
  /**
   * The entries behind the key in the order of their keys, of one jail or of all; null: from the first
   * one. They may change meanwhile.
   */
  entriesBehind(key: string | null, jail?: string): IterableIterator<BanEntry>;
  /** All entries at the place, and some beside it: whoever asks looks at each ban. */
  entriesAt(place: BanPlace): IterableIterator<BanEntry>;
  /** Bans that nobody has marked as expired though their time was over at `now`, the oldest end first. */
  overdueAt(now: number): Iterable<Ban>;
  /** Bans that have ended and are at rest since an instant before that of their jail. */
  atRestBefore(instantOf: (jail: string) => number): Iterable<BanEntry>;
  /** Applies `step` to the entry; returns what was written, undefined when nothing was. */
  change(jail: string, address: Address, step: Step): Promise<Written | undefined>;
  /** Deletes an entry with its history, if its revision is still this one. */
  purge(key: string, revision: number): Promise<void>;
  /** Bans that must be written again: those tampered with or lost since the last call. */
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
/** To look this part of all bans up by their keys takes as long as to read all bans. */
const WIDE_FROM = 1 / 4;

export function openBanStore(options: BanStoreOptions): BanStore {
  return new MirroredBans(options);
}

class MirroredBans implements BanStore {
  readonly ready: Promise<void>;
  readonly #options: BanStoreOptions;
  readonly #index = new BanIndex();
  readonly #tampered: TamperedBans;
  readonly #writer: BucketWriter;
  readonly #mirror: BucketMirror<Ban>;
  /** Whether every entry was read once. */
  #wasRead = false;

  constructor(options: BanStoreOptions) {
    const { connection, log } = options;
    this.#options = options;
    this.#tampered = new TamperedBans(log);
    this.#writer = createBucketWriter(connection, BANS_BUCKET);
    const onEvent = (event: MirrorEvent<Ban>) => {
      this.#onEvent(event);
    };
    this.#mirror = mirrorBucket({
      ...{ connection, bucket: BANS_BUCKET, decode: decodeBan, onEvent, log },
    });
    this.ready = this.#mirror.ready;
  }

  isReady(): boolean {
    return this.#mirror.state().phase === "live";
  }

  revision(): number {
    return this.#mirror.revision();
  }

  created(): string | null {
    const state = this.#mirror.state();
    return state.phase === "unread" ? null : state.bucketId;
  }

  get(jail: string, address: Address): Ban | undefined {
    return this.#mirror.entries.get(banKey(jail, address))?.value;
  }

  *entries(): Generator<BanEntry> {
    for (const [key, { value, revision }] of this.#mirror.entries) {
      yield { key, ban: value, revision };
    }
  }

  entriesBehind(after: string | null, jail?: string): Generator<BanEntry> {
    return this.#entriesOf(this.#index.keysBehind(after, jail));
  }

  entriesAt(place: BanPlace): Generator<BanEntry> {
    const isWide = isEverywhere(place) || this.#index.shareAt(place) > WIDE_FROM;
    return isWide ? this.entries() : this.#entriesOf(this.#index.keysAt(place));
  }

  overdueAt(now: number): Iterable<Ban> {
    return this.#index.overdueAt(now);
  }

  atRestBefore(instantOf: (jail: string) => number): Iterable<BanEntry> {
    return this.#entriesOf(keysOf(this.#index.atRestBefore(instantOf)));
  }

  async change(jail: string, address: Address, step: Step): Promise<Written | undefined> {
    const { connection } = this.#options;
    const key = banKey(jail, address);
    const written = await this.#writer.change({
      ...{ key, present: this.#present(key), step, encode: encodeBan },
      read: () => readBan(connection, key),
      isSame: (found, ours) => found.change === ours.change,
    });
    if (!written) return undefined;
    this.#mirror.wrote(key, written.value, written.revision);
    return { ban: written.value, revision: written.revision };
  }

  async purge(key: string, expected: number): Promise<void> {
    try {
      await this.#writer.erase(key, "PURGE", expected, PURGE_WITHIN_MS);
    } catch (error) {
      if (!isConflict(error)) throw error; // somebody has changed it: it stays
    }
  }

  takeTampered(): Ban[] {
    return this.#tampered.take();
  }

  held(): Iterable<Ban> {
    return this.#index.held();
  }

  countDue(now: number): CountedBans[] {
    return this.#index.countDue(now);
  }

  countInForce(now: number): number {
    return this.#index.countInForce(now);
  }

  stop(): void {
    this.#mirror.stop();
  }

  #onEvent(event: MirrorEvent<Ban>): void {
    const { onBan, onChange } = this.#options;
    this.#index.note(event);
    this.#tampered.note(event);
    if (event.type === "live") this.#wasRead = true;
    if (event.type !== "put") return;
    onBan(event.value, event.previous);
    if (this.#wasRead) onChange?.(event.value, event.previous);
  }

  /** Entries of a bucket that is no more are still in the mirror, until the new one is read. */
  #present(key: string): Versioned<Ban> {
    const entry = this.#mirror.entries.get(key);
    const isOfBucket = entry?.bucketId === this.created();
    return isOfBucket ? entry : { value: undefined, revision: 0 };
  }

  *#entriesOf(parts: Iterable<readonly string[]>): Generator<BanEntry> {
    for (const keys of parts) {
      for (const key of keys) {
        const entry = this.#mirror.entries.get(key);
        if (entry) yield { key, ban: entry.value, revision: entry.revision };
      }
    }
  }
}

const isEverywhere = ({ jail, address, within }: BanPlace): boolean =>
  jail === undefined && address === undefined && within === undefined;

function* keysOf(bans: Iterable<Ban>): Generator<string[]> {
  for (const { jail, address } of bans) yield [banKey(jail, address)];
}

/** Reads the entry itself. What an unauthorized writer has made of it is to be written over. */
async function readBan(connection: NatsConnection, key: string): Promise<Versioned<Ban>> {
  const { value, revision } = await readLatest(connection, BANS_BUCKET, key);
  try {
    return { value: value && decodeBan(value, key), revision };
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return { value: undefined, revision };
  }
}
