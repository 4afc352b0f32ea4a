/**
 * Follows a key-value bucket: first all of its present entries, then every change.
 *
 * Older states of an entry come as entries, too, before its last one. A reader that asked NATS 2.9
 * for the last states alone would keep every writer waiting: NATS looks for them in one go, and
 * stores nothing meanwhile (half a second with 100,000 keys).
 */
import type { NatsConnection } from "@nats-io/nats-core";
import type { Log } from "../process/log.ts";
import type { StoredMessage } from "./delivery.ts";
import { ALL, followStream, type Following, type FollowOptions } from "./follow-stream.ts";
import { ReadingAhead } from "./reading-ahead.ts";
import type { StreamState } from "./stream-consumer.ts";
import type { StreamReader } from "./stream-run.ts";

export interface BucketEntry {
  key: string;
  /** undefined: the key was deleted or purged. */
  value: Uint8Array | undefined;
  revision: number;
  /** By the server's clock, epoch milliseconds. */
  writtenAt: number;
}

export interface BucketReader {
  /**
   * All present entries follow. `created` changes when the bucket was made anew. `last` is the
   * highest revision of the bucket; it is lower than before if NATS has lost the newest entries.
   */
  begin(created: string, last: number): void;
  entry(entry: BucketEntry): void;
  /**
   * The entries since `begin` are all entries of the bucket, as far as their revisions prove.
   * `missing` is 0 if their number proves the same. Otherwise the mirror has fewer keys than the
   * bucket: no key may be taken for deleted, and the bucket is read again soon.
   */
  caughtUp(missing: number): void;
  /**
   * One of the newest entries, while older ones are still to be read: it comes as `entry` again,
   * in its turn. `created` names the bucket.
   */
  ahead?(entry: BucketEntry, created: string): void;
}

export interface FollowBucketOptions extends Pick<FollowOptions, "connection" | "log"> {
  bucket: string;
  /** Makes another connection to the same NATS, for a bucket whose newest entries must not wait. */
  connectBeside?: (() => Promise<NatsConnection>) | undefined;
  /** The bucket is read from its beginning only after this; its newest entries come at once. */
  readWhen?: Promise<void> | undefined;
}

/** The stream that NATS keeps a bucket in. */
export function bucketStream(bucket: string): string {
  return `KV_${bucket}`;
}

const READ_AGAIN_MS = 2_000;

export function followBucket(options: FollowBucketOptions, reader: BucketReader): Following {
  const { connection, bucket, readWhen, log } = options;
  const follower = new BucketFollower(options, reader, () => following.again());
  const following = followStream(
    {
      ...{ connection, stream: bucketStream(bucket), startFrom: ALL, log },
      async prepare() {
        await Promise.all([follower.ahead?.begin(), readWhen]);
      },
    },
    follower,
  );
  return {
    again: following.again,
    stop() {
      follower.stop();
      following.stop();
    },
  };
}

class BucketFollower implements StreamReader {
  readonly #reader: BucketReader;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #log: Log;
  /** undefined: new entries may wait until older ones are read. */
  readonly ahead: ReadingAhead | undefined;
  /** Begins another run. */
  readonly #readAgain: () => void;
  #readingAgain: NodeJS.Timeout | undefined;
  /** Keys of which this run has shown an entry; undefined when they are counted no more. */
  #shown: Set<string> | undefined;
  /** How many keys the bucket had when this run began. */
  #expected = 0;
  /** The last revision that this run has shown; undefined: none yet. */
  #read: number | undefined;

  constructor(options: FollowBucketOptions, reader: BucketReader, readAgain: () => void) {
    const { connection, bucket, connectBeside, log } = options;
    this.#reader = reader;
    this.#bucket = bucket;
    this.#prefix = `$KV.${bucket}.`;
    this.#log = log;
    this.#readAgain = readAgain;
    this.ahead =
      connectBeside &&
      new ReadingAhead({
        ...{ connection, connectBeside, stream: bucketStream(bucket), log },
        onMessage: (message, created) => reader.ahead?.(this.#entryOf(message), created),
      });
  }

  begin({ created, last, subjects }: StreamState): void {
    clearTimeout(this.#readingAgain);
    this.#shown = new Set();
    this.#read = undefined;
    this.#expected = subjects ?? 0;
    this.#reader.begin(created, last);
  }

  message(message: StoredMessage): void {
    const entry = this.#entryOf(message);
    this.#shown?.add(entry.key);
    this.#reader.entry(entry);
    this.#read = entry.revision;
    this.#endReadingAhead();
  }

  caughtUp(): void {
    const missing = Math.max(0, this.#expected - (this.#shown?.size ?? 0));
    this.#shown = undefined;
    this.#reader.caughtUp(missing);
    this.#endReadingAhead();
    if (missing === 0) return;
    const facts = { bucket: this.#bucket, missing };
    this.#log.error(facts, "bucket was read in part, reads it again");
    this.#readingAgain = setTimeout(this.#readAgain, READ_AGAIN_MS);
  }

  stop(): void {
    clearTimeout(this.#readingAgain);
    this.ahead?.stop();
  }

  /**
   * Present entries are read, but what was written meanwhile may still be under way behind them:
   * new entries come ahead until all of that is read, too.
   */
  #endReadingAhead(): void {
    if (this.#shown) return;
    if (this.#read === undefined) this.ahead?.end();
    else this.ahead?.endIfNothingAfter(this.#read);
  }

  #entryOf({ subject, data, headers, sequence, storedAt }: StoredMessage): BucketEntry {
    // A put has no such header; DEL and PURGE are the others.
    const value = headers?.get("KV-Operation") ? undefined : data;
    const key = subject.slice(this.#prefix.length);
    return { key, value, revision: sequence, writtenAt: storedAt };
  }
}
