/** Follows a key-value bucket: first all of its present entries, then every change. */
import {
  followStream,
  LAST_PER_SUBJECT,
  type Following,
  type FollowOptions,
} from "./follow-stream.ts";

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
}

export interface FollowBucketOptions extends Pick<FollowOptions, "connection" | "log"> {
  bucket: string;
}

/** The stream that NATS keeps a bucket in. */
export function bucketStream(bucket: string): string {
  return `KV_${bucket}`;
}

const READ_AGAIN_MS = 2_000;

export function followBucket(
  { connection, bucket, log }: FollowBucketOptions,
  reader: BucketReader,
): Following {
  const prefix = `$KV.${bucket}.`;
  /** Keys of which this run has shown an entry; undefined when they are counted no more. */
  let shown: Set<string> | undefined;
  let expected = 0;
  let readAgain: NodeJS.Timeout | undefined;
  const following = followStream(
    { connection, stream: bucketStream(bucket), startFrom: LAST_PER_SUBJECT, log },
    {
      begin({ created, last, subjects }) {
        clearTimeout(readAgain);
        shown = new Set();
        expected = subjects ?? 0;
        reader.begin(created, last);
      },
      message({ subject, data, headers, sequence, storedAt }) {
        const key = subject.slice(prefix.length);
        shown?.add(key);
        // A put has no such header; DEL and PURGE are the others.
        const isPut = !headers?.get("KV-Operation");
        const value = isPut ? data : undefined;
        reader.entry({ key, value, revision: sequence, writtenAt: storedAt });
      },
      caughtUp() {
        const missing = Math.max(0, expected - (shown?.size ?? 0));
        shown = undefined;
        reader.caughtUp(missing);
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
      following.stop();
    },
  };
}
