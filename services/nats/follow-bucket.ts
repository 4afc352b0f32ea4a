/**
 * Follows a key-value bucket: first all of its present entries, then every change.
 *
 * Older states of an entry come as entries, too, before its last one. A reader that asked NATS 2.9
 * for the last states alone would keep every writer waiting: NATS looks for them in one go, and
 * stores nothing meanwhile (half a second with 100,000 keys).
 */
import { jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import type { StoredMessage } from "./delivery.ts";
import { ALL, followStream, type Following, type FollowOptions } from "./follow-stream.ts";
import { readNewestEntries, type NewestEntries } from "./newest-entries.ts";

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
/** This many messages are read soon enough. If there are more, new ones must not wait behind them. */
const FEW_MESSAGES = 1_000;
const LOOK_WITHIN_MS = 1_000;

export function followBucket(
  { connection, bucket, connectBeside, readWhen, log }: FollowBucketOptions,
  reader: BucketReader,
): Following {
  const stream = bucketStream(bucket);
  const prefix = `$KV.${bucket}.`;
  const entryOf = ({ subject, data, headers, sequence, storedAt }: StoredMessage): BucketEntry => {
    // A put has no such header; DEL and PURGE are the others.
    const value = headers?.get("KV-Operation") ? undefined : data;
    return { key: subject.slice(prefix.length), value, revision: sequence, writtenAt: storedAt };
  };
  /** Keys of which this run has shown an entry; undefined when they are counted no more. */
  let shown: Set<string> | undefined;
  let expected = 0;
  let readAgain: NodeJS.Timeout | undefined;
  let newest: NewestEntries | undefined;
  /** The last revision that this run has shown; undefined: none yet. */
  let read: number | undefined;
  let isStopped = false;
  /** The newest entries are delivered from here on, where there are many older ones. */
  async function readAhead(connect: () => Promise<NatsConnection>): Promise<void> {
    newest?.stop();
    newest = undefined;
    const manager = await jetstreamManager(connection, {
      ...{ checkAPI: false, timeout: LOOK_WITHIN_MS },
    });
    const { messages } = (await manager.streams.info(stream)).state;
    if (messages <= FEW_MESSAGES) return;
    newest = await readNewestEntries({
      ...{ stream, connect, log },
      onMessage: (message, created) => reader.ahead?.(entryOf(message), created),
    });
    if (isStopped) newest.stop();
  }
  /**
   * Present entries are read, but what was written meanwhile may still be under way behind them:
   * new entries come ahead until all of that is read, too.
   */
  function endReadingAhead(): void {
    const isRead = newest === undefined || read === undefined || newest.hasNothingAfter(read);
    if (shown || !isRead) return;
    newest?.stop();
    newest = undefined;
  }

  const following = followStream(
    {
      ...{ connection, stream, startFrom: ALL, log },
      async prepare() {
        await Promise.all([connectBeside && readAhead(connectBeside), readWhen]);
      },
    },
    {
      begin({ created, last, subjects }) {
        clearTimeout(readAgain);
        shown = new Set();
        read = undefined;
        expected = subjects ?? 0;
        reader.begin(created, last);
      },
      message(message) {
        const entry = entryOf(message);
        shown?.add(entry.key);
        reader.entry(entry);
        read = entry.revision;
        endReadingAhead();
      },
      caughtUp() {
        const missing = Math.max(0, expected - (shown?.size ?? 0));
        shown = undefined;
        reader.caughtUp(missing);
        endReadingAhead();
        if (missing === 0) return;
        log.error({ bucket, missing }, "bucket was read in part, reads it again");
        readAgain = setTimeout(following.again, READ_AGAIN_MS);
      },
    },
  );
  return {
    again: following.again,
    stop() {
      clearTimeout(readAgain);
      isStopped = true;
      newest?.stop();
      following.stop();
    },
  };
}
