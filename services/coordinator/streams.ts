/** The stream and the buckets of a fleet, made where they are missing. */
import {
  DiscardPolicy,
  JetStreamApiError,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type JetStreamManager,
  type StreamConfig,
} from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "@nats-io/nats-core";
import { bucketStream } from "../daemon/bucket.ts";
import type { Log } from "../daemon/log.ts";
import {
  BANS_BUCKET,
  FAILURES_STREAM,
  FAILURES_SUBJECTS,
  LEASE_BUCKET,
  SETTINGS_BUCKET,
} from "../wire/subjects.ts";

export interface StreamOptions {
  /** Seconds: the longest findtime of all jails. */
  longestFindtime: number;
  replicas: number;
}

/** Buckets, and how many states of an entry each keeps. */
const BUCKETS = [
  [BANS_BUCKET, 16],
  [SETTINGS_BUCKET, 1],
  [LEASE_BUCKET, 1],
] as const;
const RETRY_MS = 500;
const DAY_SECONDS = 86_400;
const SECOND_NS = 1_000_000_000;
/** NATS: the stream does not exist. */
const STREAM_NOT_FOUND = 10059;

/** May be repeated. */
export async function ensureStreams(
  connection: NatsConnection,
  { longestFindtime, replicas }: StreamOptions,
): Promise<void> {
  const manager = await jetstreamManager(connection);
  const failures: Partial<StreamConfig> & { name: string } = {
    name: FAILURES_STREAM,
    subjects: [FAILURES_SUBJECTS],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    // A day at least: so long may PostgreSQL be away and nothing is missing from the history.
    max_age: Math.max(2 * longestFindtime, DAY_SECONDS) * SECOND_NS,
    duplicate_window: 120 * SECOND_NS,
    num_replicas: replicas,
    allow_direct: true,
  };
  if (await exists(manager, FAILURES_STREAM))
    await manager.streams.update(FAILURES_STREAM, failures);
  else await manager.streams.add(failures);

  const buckets = new Kvm(connection);
  for (const [bucket, history] of BUCKETS) {
    if (!(await exists(manager, bucketStream(bucket)))) {
      await buckets.create(bucket, { history, replicas });
    }
  }
}

/**
 * Makes what is missing now and after every reconnect, for NATS may have lost its
 * storage meanwhile; resolves when everything was there once.
 */
export async function keepStreams(
  connection: NatsConnection,
  options: StreamOptions,
  log: Log,
): Promise<void> {
  let said = "";
  const ensure = async () => {
    while (!connection.isClosed()) {
      try {
        await ensureStreams(connection, options);
        return;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        if (reason !== said) log.warn({ reason }, "streams cannot be made yet, keeps trying");
        said = reason;
        await sleep(RETRY_MS);
      }
    }
  };
  await ensure();
  void (async () => {
    for await (const { type } of connection.status()) if (type === "reconnect") await ensure();
  })();
}

async function exists(manager: JetStreamManager, stream: string): Promise<boolean> {
  try {
    await manager.streams.info(stream);
    return true;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND) return false;
    throw error;
  }
}
