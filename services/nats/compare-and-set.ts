/**
 * Changes one key of a bucket without losing another program's change: a write names the revision
 * that it was made from, and NATS rejects the write if the key has another revision by now.
 *
 * If the server that leads the bucket dies, a write without an acknowledgement may be stored or not.
 * The value of the key then shows which.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { JetStreamApiError, JetStreamError, PubHeaders } from "@nats-io/jetstream";
import {
  Empty,
  headers,
  NoRespondersError,
  TimeoutError,
  type MsgHdrs,
  type NatsConnection,
} from "@nats-io/nats-core";
import { createStreamPublisher } from "./stream-publisher.ts";

/** A key's value, and the revision that it has; 0: the key never was. */
export interface Versioned<T> {
  value: T | undefined;
  revision: number;
}

export interface KeyOptions<T> {
  key: string;
  /** The value and revision that the caller expects. */
  present: Versioned<T>;
  /** Makes the next value from the present one, and its revision; undefined: leave it. */
  step: (present: T | undefined, revision: number) => T | undefined;
  read: (key: string) => Promise<Versioned<T>>;
  encode: (value: T) => Uint8Array;
  /** Is the value that the key holds the one that we have tried to write? */
  isSame: (found: T, ours: T) => boolean;
}

export interface BucketWriter {
  /** Writes where `expected` is the key's revision (0: none); returns the new revision. */
  put(key: string, value: Uint8Array, expected: number, timeout: number): Promise<number>;
  /** Deletes the key where `expected` is its revision: "PURGE" with its history. */
  erase(key: string, how: "DEL" | "PURGE", expected: number, timeout: number): Promise<void>;
  /** Returns what was written; undefined: `step` has left it. */
  change<T>(options: KeyOptions<T>): Promise<{ value: T; revision: number } | undefined>;
}

/** NATS: the key has another revision than expected. */
const WRONG_LAST_SEQUENCE = 10071;
const ATTEMPTS = 8;
const WRITE_WITHIN_MS = 5_000;
/** A cluster of NATS servers finds a new leader for the bucket in some 4 s. */
const PATIENCE_MS = 8_000;
const RETRY_MS = 200;

export function createBucketWriter(connection: NatsConnection, bucket: string): BucketWriter {
  const publisher = createStreamPublisher(connection);
  const subjectOf = (key: string) => `$KV.${bucket}.${key}`;

  function put(key: string, data: Uint8Array, expected: number, timeout: number): Promise<number> {
    return publisher.publish({
      subject: subjectOf(key),
      data,
      headers: expecting(expected),
      timeout,
    });
  }

  return {
    put,
    async erase(key, how, expected, timeout) {
      const mark = expecting(expected);
      mark.set("KV-Operation", how);
      if (how === "PURGE") mark.set("Nats-Rollup", "sub");
      await publisher.publish({ subject: subjectOf(key), data: Empty, headers: mark, timeout });
    },
    change: (options) =>
      changeKey(options, (value, expected) =>
        put(options.key, options.encode(value), expected, WRITE_WITHIN_MS),
      ),
  };
}

/** NATS rejects the message where the last one of its subject has another sequence; 0: there is none. */
function expecting(sequence: number): MsgHdrs {
  const fields = headers();
  fields.set(PubHeaders.ExpectedLastSubjectSequenceHdr, String(sequence));
  return fields;
}

async function changeKey<T>(
  { key, present, step, read, isSame }: KeyOptions<T>,
  write: (value: T, expected: number) => Promise<number>,
): Promise<{ value: T; revision: number } | undefined> {
  const deadline = performance.now() + PATIENCE_MS;
  /** Sent and not acknowledged: one of them may be stored. */
  const inDoubt: T[] = [];
  let from = present;
  for (let conflicts = 0; ;) {
    const next = step(from.value, from.revision);
    if (next === undefined) return undefined;
    try {
      return { value: next, revision: await write(next, from.revision) };
    } catch (error) {
      if (isConflict(error)) conflicts += 1;
      else if (!isWithoutLeader(error) || performance.now() > deadline) throw explain(error);
      if (conflicts === ATTEMPTS) throw error;
      if (!isConflict(error)) {
        inDoubt.push(next);
        await sleep(RETRY_MS);
      }
    }
    const found = await read(key).catch(() => undefined);
    if (!found) continue;
    from = found;
    const { value, revision } = found;
    if (value !== undefined && inDoubt.some((ours) => isSame(value, ours))) {
      return { value, revision };
    }
  }
}

/** A compare-and-set failed because somebody else was quicker. */
export function isConflict(error: unknown): boolean {
  if (error instanceof JetStreamApiError) return error.code === WRONG_LAST_SEQUENCE;
  return error instanceof JetStreamError && /wrong last sequence/.test(error.message);
}

/** In a cluster: the server that led the bucket has died, and no other does yet. */
function isWithoutLeader(error: unknown): boolean {
  return error instanceof TimeoutError || error instanceof NoRespondersError;
}

/** NATS's own words for it, "jetstream is not enabled", mislead. */
function explain(error: unknown): unknown {
  if (!isWithoutLeader(error)) return error;
  return new Error("NATS cannot store it now: no server leads the bans", { cause: error });
}
