/**
 * Reads the last state of a key from the leader of the bucket's stream. The client's `get` asks any
 * server of a cluster, and a server that lags behind answers with an old state.
 */
import { jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { bucketStream } from "./follow-bucket.ts";

export interface Latest {
  /** undefined: the key was deleted or purged, or never was. */
  value: Uint8Array | undefined;
  /** 0: the key never was. */
  revision: number;
  /** By NATS's clock, epoch milliseconds; undefined: the key never was. */
  writtenAt: number | undefined;
}

const WITHIN_MS = 2_000;
export async function readLatest(
  connection: NatsConnection,
  bucket: string,
  key: string,
): Promise<Latest> {
  const manager = await jetstreamManager(connection, { checkAPI: false, timeout: WITHIN_MS });
  const subject = `$KV.${bucket}.${key}`;
  const stored = await manager.streams.getMessage(bucketStream(bucket), { last_by_subj: subject });
  if (!stored) return { value: undefined, revision: 0, writtenAt: undefined };
  const isPut = !stored.header.get("KV-Operation");
  const writtenAt = stored.time.getTime();
  return { value: isPut ? stored.data : undefined, revision: stored.seq, writtenAt };
}
