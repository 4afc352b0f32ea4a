/**
 * How far notifications have come, as NATS keeps it: the place in the bans bucket, the conditions
 * that were announced, and the state of every sink. Each is one key, changed by compare-and-set by
 * the coordinator that sends; the others read.
 */
import { jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/nats-core";
import * as z from "zod";
import { createBucketWriter, isConflict, type Versioned } from "../../nats/compare-and-set.ts";
import { findStream } from "../../nats/find-stream.ts";
import { bucketStream } from "../../nats/follow-bucket.ts";
import { readLatest } from "../../nats/read-latest.ts";
import { decode, encode, instant, textOf } from "../../wire/codec.ts";
import { NOTIFY_BUCKET } from "../../wire/subjects.ts";
import { decodeConditions, encodeConditions, type KeptCondition } from "./conditions.ts";
import { place, type Place } from "./event.ts";
import { OutboxTaken } from "./outbox.ts";

const count = z.number().int().nonnegative();

export const sinkState = z.object({
  v: z.literal(1),
  /** The outbox that sequences count in. */
  created: textOf(64),
  /** Every event up to here was sent, or is none of this sink's. */
  sequence: count,
  /** These events are sent as one message, also when they are sent again. */
  sealed: z.object({ from: count, to: count, at: instant }).optional(),
  /** The sink did not take its last message. */
  failing: z
    .object({ tries: count, since: instant, retryAt: instant, reason: textOf(500) })
    .optional(),
  /** The receiver has asked for no more messages (410). */
  off: z.object({ at: instant, reason: textOf(500) }).optional(),
  /** Where messages go, hashed: another receiver is not off, and not failing. */
  target: textOf(64),
  /** Events that were sent, and that were given up. */
  sent: count,
  lost: count,
  sentAt: instant.optional(),
  /** The last `fleetban notify resend` that this sink has followed. */
  resentAt: instant.optional(),
});
export type SinkState = z.infer<typeof sinkState>;

export interface NotifyBucket {
  readPlace(): Promise<Versioned<Place>>;
  writePlace(value: Place, replaced: number): Promise<number>;
  readConditions(): Promise<Versioned<KeptCondition[]>>;
  writeConditions(value: readonly KeptCondition[], replaced: number): Promise<number>;
  readSink(name: string): Promise<Versioned<SinkState>>;
  writeSink(name: string, value: SinkState, replaced: number): Promise<number>;
}

const WRITE_WITHIN_MS = 5_000;

/** Makes the bucket where it is missing. */
export async function ensureNotifyBucket(
  connection: NatsConnection,
  replicas: number,
): Promise<void> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  if (await findStream(manager, bucketStream(NOTIFY_BUCKET))) return;
  await new Kvm(connection).create(NOTIFY_BUCKET, { history: 1, replicas });
}

export function createNotifyBucket(connection: NatsConnection): NotifyBucket {
  const writer = createBucketWriter(connection, NOTIFY_BUCKET);

  async function read<T>(
    key: string,
    parse: (bytes: Uint8Array, key: string) => T,
  ): Promise<Versioned<T>> {
    const { value, revision } = await readLatest(connection, NOTIFY_BUCKET, key);
    return { value: value && parse(value, key), revision };
  }

  async function write(key: string, value: Uint8Array, replaced: number): Promise<number> {
    try {
      return await writer.put(key, value, replaced, WRITE_WITHIN_MS);
    } catch (error) {
      if (!isConflict(error)) throw error;
      throw new OutboxTaken(`another coordinator has written ${key}`, { cause: error });
    }
  }

  const sinkKey = (name: string) => `sink.${name}`;
  return {
    readPlace: () => read("place", (bytes, key) => decode(place, bytes, key)),
    writePlace: (value, replaced) => write("place", encode(place, value), replaced),
    readConditions: () => read("conditions", decodeConditions),
    writeConditions: (value, replaced) => write("conditions", encodeConditions(value), replaced),
    readSink: (name) => read(sinkKey(name), (bytes, key) => decode(sinkState, bytes, key)),
    writeSink: (name, value, replaced) => write(sinkKey(name), encode(sinkState, value), replaced),
  };
}
