/** Follows a key-value bucket: first all of its present entries, then every change. */
import type { NatsConnection } from "@nats-io/nats-core";
import { followStream, LAST_PER_SUBJECT, type Following } from "./follow.ts";
import type { Log } from "./log.ts";

export interface BucketEntry {
  key: string;
  /** undefined: the key was deleted or purged. */
  value: Uint8Array | undefined;
  revision: number;
  /** By the server's clock, epoch milliseconds. */
  writtenAt: number;
}

export interface BucketFollower {
  /**
   * All present entries follow; `created` changes when the bucket was made anew. `last` is its
   * highest revision, less than before where NATS has lost the end of it.
   */
  begin(created: string, last: number): void;
  entry(entry: BucketEntry): void;
  /** The entries since `begin` are all that were there. */
  caughtUp(): void;
}

/** The stream that NATS keeps a bucket in. */
export function bucketStream(bucket: string): string {
  return `KV_${bucket}`;
}

export function followBucket(
  connection: NatsConnection,
  bucket: string,
  follower: BucketFollower,
  log: Log,
): Following {
  const prefix = `$KV.${bucket}.`;
  return followStream(
    connection,
    bucketStream(bucket),
    LAST_PER_SUBJECT,
    {
      begin: (created, last) => follower.begin(created, last),
      caughtUp: () => follower.caughtUp(),
      message(message) {
        // A put has no such header; DEL and PURGE are the others.
        const isPut = !message.headers?.get("KV-Operation");
        follower.entry({
          key: message.subject.slice(prefix.length),
          value: isPut ? message.data : undefined,
          revision: message.seq,
          writtenAt: Number(message.timestampNanos / 1_000_000n),
        });
      },
    },
    log,
  );
}
