/**
 * The stream and the buckets of a fleet: made where they are missing, changed where they are not as
 * configured. What is missing keeps the coordinator from its work; what cannot be changed does not,
 * for streams with one copy too few are better than no bans.
 */
import {
  DiscardPolicy,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type JetStreamManager,
  type StreamConfig,
} from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "@nats-io/nats-core";
import { changeStream } from "../../nats/change-stream.ts";
import { findStream } from "../../nats/find-stream.ts";
import { bucketStream } from "../../nats/follow-bucket.ts";
import type { Log } from "../../process/log.ts";
import { onReconnect } from "../../nats/reconnects.ts";
import { boundStream } from "./stream-size-limit.ts";
import {
  BANS_BUCKET,
  FAILURES_STREAM,
  FAILURES_SUBJECTS,
  LEASE_BUCKET,
  SETTINGS_BUCKET,
} from "../../wire/subjects.ts";

export interface StreamOptions {
  /** Seconds: the longest findtime of all jails. */
  longestFindtime: number;
  replicas: number;
  /** The stream of failures holds at most this many bytes; NATS deletes the oldest first. */
  failuresMaxBytes: number;
}

/** Buckets, and how many states of an entry each keeps. */
const BUCKETS = [
  [BANS_BUCKET, 16],
  [SETTINGS_BUCKET, 1],
  [LEASE_BUCKET, 1],
] as const;
const RETRY_MS = 500;
const CHANGE_EVERY_MS = 10_000;
const DAY_SECONDS = 86_400;
const SECOND_NS = 1_000_000_000;

/** Makes what is missing, or throws; returns what is not as it should be, in words. May be repeated. */
export async function ensureStreams(
  connection: NatsConnection,
  { longestFindtime, replicas, failuresMaxBytes }: StreamOptions,
): Promise<string[]> {
  const manager = await jetstreamManager(connection);
  const failures: Partial<StreamConfig> & { name: string } = {
    name: FAILURES_STREAM,
    subjects: [FAILURES_SUBJECTS],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    // A day at least: if PostgreSQL is away for a day, nothing is missing from the history.
    max_age: Math.max(2 * longestFindtime, DAY_SECONDS) * SECOND_NS,
    duplicate_window: 120 * SECOND_NS,
    num_replicas: replicas,
    allow_direct: true,
  };
  const faults: string[] = [];
  const present = await findStream(manager, FAILURES_STREAM);
  if (present) faults.push(...(await changeStream(manager, present, failures)));
  else await manager.streams.add(failures);
  // While NATS makes copies, it does not answer whether it has room for the bound that is there.
  const isMoved = present !== undefined && present.config.num_replicas !== replicas;
  if (!isMoved || present.config.max_bytes !== failuresMaxBytes) {
    faults.push(...(await bound(manager, failuresMaxBytes)));
  }

  const buckets = new Kvm(connection);
  for (const [bucket, history] of BUCKETS) {
    const stream = await findStream(manager, bucketStream(bucket));
    if (!stream) await buckets.create(bucket, { history, replicas });
    else faults.push(...(await changeStream(manager, stream, { num_replicas: replicas })));
  }
  return faults;
}

/** Whatever is the matter with it, the stream itself can be used. */
async function bound(manager: JetStreamManager, bytes: number): Promise<string[]> {
  try {
    return await boundStream(manager, FAILURES_STREAM, bytes);
  } catch (error) {
    return [`stream ${FAILURES_STREAM} cannot be given max_bytes ${bytes} now: ${reasonOf(error)}`];
  }
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

export interface Streams {
  /** What is not as it should be, in words, as far as is known. */
  faults(): readonly string[];
  /** Changes the streams to what is wanted now. */
  ensure(): Promise<void>;
}

/**
 * Makes missing streams and buckets now and after every reconnect, because NATS may have lost its
 * storage meanwhile. Resolves when all of them existed once. `onWaiting` gets the reason for waiting.
 */
export async function keepStreams(
  connection: NatsConnection,
  wanted: () => StreamOptions,
  log: Log,
  onWaiting: (reason: string) => void,
): Promise<Streams> {
  let said = "";
  let faults: readonly string[] = [];
  const warnOnce = (reason: string, text: string) => {
    if (reason !== said && reason !== "") log.warn({ reason }, text);
    said = reason;
  };
  const ensure = async () => {
    while (!connection.isClosed()) {
      try {
        faults = await ensureStreams(connection, wanted());
        warnOnce(faults.join("; "), "streams are not as configured, keeps trying");
        return;
      } catch (error) {
        const reason = reasonOf(error);
        warnOnce(reason, "streams cannot be made yet, keeps trying");
        onWaiting(`NATS cannot keep the streams yet: ${reason}`);
        await sleep(RETRY_MS);
      }
    }
  };
  let working: Promise<void> | undefined;
  const ensureAgain = () => (working ??= ensure().finally(() => (working = undefined)));
  await ensureAgain();
  void onReconnect(connection, ensureAgain);
  const timer = setInterval(() => {
    if (connection.isClosed()) clearInterval(timer);
    else if (faults.length > 0) void ensureAgain();
  }, CHANGE_EVERY_MS);
  return { faults: () => faults, ensure: ensureAgain };
}
