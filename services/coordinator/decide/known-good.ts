/**
 * Which addresses are known good: the digests of successful logins of all hosts, followed while a
 * jail has `knownGood`.
 *
 * NATS keeps the digests of the longest `within` in a stream of their own. Every coordinator reads
 * all of it, as it reads the failures. So one that starts or takes over knows what the last one
 * knew, and nothing else has to be kept or restored. Agents report again what NATS has lost.
 *
 * While the digests cannot be read, nobody is known good, and every address is banned at the usual
 * count.
 */
import {
  DiscardPolicy,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { setTimeout as sleep } from "node:timers/promises";
import { changeStream } from "../../nats/change-stream.ts";
import { findStream } from "../../nats/find-stream.ts";
import { ALL, followStream, type Following } from "../../nats/follow-stream.ts";
import type { StoredMessage } from "../../nats/delivery.ts";
import { createLoginMemory, type LoginMemory } from "../../policy/login-memory.ts";
import type { Log } from "../../process/log.ts";
import { createRateLimit } from "../../process/rate-limit.ts";
import { reasonOf } from "../../process/reason.ts";
import { WireError } from "../../wire/codec.ts";
import { decodeLoginDigest, MAX_DIGEST_BYTES } from "../../wire/logins.ts";
import type { Jail } from "../../wire/settings.ts";
import { LOGINS_STREAM, LOGINS_SUBJECTS } from "../../wire/subjects.ts";
import { warn, type Warning } from "../../wire/warnings.ts";

export interface KnownGood extends Pick<LoginMemory, "hasLoggedIn" | "loginsOf"> {
  /**
   * Follows the digests if one of the jails has knownGood. Resolves when they are read, and soon
   * also when they cannot be.
   */
  follow(jails: readonly Jail[]): Promise<void>;
  /** Has one of the jails knownGood? Without it nothing is known of logins. */
  isFollowing(): boolean;
  sweep(): void;
  warnings(): Warning[];
}

export interface KnownGoodOptions {
  connection: NatsConnection;
  replicas: number;
  isQuarantined: (host: string) => boolean;
  now: () => number;
  log: Log;
}

/** Some 100 bytes each. */
const [PER_HOST, TOTAL] = [50_000, 500_000];
/** Beyond that NATS deletes the oldest digests, first of the host that publishes most. */
const MAX_DIGESTS_OF_HOST = 10_000;
/** NATS sets these bytes aside: half of what the stream of failures leaves of a small store. */
const MAX_BYTES = 64 * 1024 * 1024;
const SECOND_NS = 1_000_000_000;
/** Deciding does not wait for digests that cannot be read. */
const PATIENCE_MS = 5_000;
const SWEEP_EVERY_MS = 600_000;
const COMPLAIN_EVERY_MS = 60_000;

export function createKnownGood(options: KnownGoodOptions): KnownGood {
  const { connection, replicas, isQuarantined, now, log } = options;
  const memory = createLoginMemory({
    ...{ perHost: PER_HOST, total: TOTAL, isIgnored: isQuarantined },
  });
  const mayComplain = createRateLimit(COMPLAIN_EVERY_MS, now);
  const maySweep = createRateLimit(SWEEP_EVERY_MS, now);
  /** The longest `within` of the jails that are in use or about to be, in seconds; 0: none has one. */
  let within = 0;
  let following: Following | undefined;
  let sayCaughtUp = () => {};
  const caughtUp = new Promise<void>((resolve) => (sayCaughtUp = resolve));
  /** Why the digests cannot be read; undefined: they can. */
  let trouble: string | undefined;
  /** What of the stream is not as it should be, in words. */
  let faults: readonly string[] = [];

  function take({ subject, data, storedAt }: StoredMessage): void {
    try {
      const { host, logins } = decodeLoginDigest(data, subject);
      for (const { address, ago } of logins) memory.note(host, address, storedAt - ago * 1000);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      if (!mayComplain(subject)) return;
      log.warn({ subject, reason: error.message }, "logins cannot be decoded");
    }
  }

  /** Before every run, because NATS may have lost the stream. */
  async function prepare(): Promise<void> {
    if (within === 0) return;
    try {
      faults = await ensureLoginsStream(connection, { within, replicas });
      trouble = undefined;
    } catch (error) {
      trouble = reasonOf(error);
      throw error;
    }
  }

  function start(): Following {
    return followStream(
      { connection, stream: LOGINS_STREAM, startFrom: ALL, prepare, log },
      { begin() {}, message: take, caughtUp: () => sayCaughtUp() },
    );
  }

  return {
    hasLoggedIn: memory.hasLoggedIn,
    loginsOf: memory.loginsOf,
    async follow(jails) {
      const wanted = Math.max(0, ...jails.map(({ knownGood }) => knownGood?.within ?? 0));
      const isOther = wanted !== within;
      within = wanted;
      if (wanted === 0) return;
      if (!following) following = start();
      else if (isOther) following.again(); // the stream is given the new age
      await Promise.race([caughtUp, sleep(PATIENCE_MS, undefined, { ref: false })]);
    },
    isFollowing: () => within > 0,
    sweep() {
      if (within > 0 && maySweep("")) memory.sweep(now() - within * 1000);
    },
    warnings() {
      if (within === 0) return [];
      if (trouble !== undefined) return [warn("logins-not-read", { reason: trouble })];
      return faults.map((fault) => warn("streams", { fault }));
    },
  };
}

/** Makes the stream of digests, or throws; returns what NATS cannot change of it now, in words. */
async function ensureLoginsStream(
  connection: NatsConnection,
  { within, replicas }: { within: number; replicas: number },
): Promise<string[]> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const wanted: Partial<StreamConfig> & { name: string } = {
    ...{ name: LOGINS_STREAM, subjects: [LOGINS_SUBJECTS], storage: StorageType.File },
    ...{ retention: RetentionPolicy.Limits, discard: DiscardPolicy.Old, num_replicas: replicas },
    ...{ max_msgs_per_subject: MAX_DIGESTS_OF_HOST, max_bytes: MAX_BYTES },
    ...{ max_msg_size: MAX_DIGEST_BYTES, max_age: within * SECOND_NS },
  };
  const present = await findStream(manager, LOGINS_STREAM);
  if (present) return changeStream(manager, present, wanted);
  await manager.streams.add(wanted);
  return [];
}
