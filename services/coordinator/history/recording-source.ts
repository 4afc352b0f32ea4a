/**
 * A stream from the recorded place on, delivered by a consumer that lives in NATS's memory.
 *
 * NATS does not keep the place: a durable consumer of a cluster may be left without a leader after
 * its servers were restarted (seen with 2.9.10), and then delivers nothing.
 */
import {
  AckPolicy,
  DeliverPolicy,
  jetstream,
  jetstreamManager,
  type ConsumerMessages,
  type JsMsg,
  type JetStreamManager,
} from "@nats-io/jetstream";
import { nanos, nuid, type NatsConnection } from "@nats-io/nats-core";
import type { Place } from "./place.ts";

export interface RecordingSource {
  /** The consumer begins at this message where the message can be told from another, or after it. */
  place: Place;
  /** Where the stream ended before the consumer was there. */
  end: Place;
  /** The stream had no messages then. */
  isEmpty: boolean;
  messages: DeliveredMessages;
}

/** The part of NATS's consumer that a run uses. */
export type DeliveredMessages = AsyncIterable<JsMsg> & Pick<ConsumerMessages, "status" | "stop">;

export interface SourceOptions {
  connection: NatsConnection;
  stream: string;
  /** Up to where the stream is recorded; undefined: nothing of it is recorded. */
  recorded: (stream: string) => Promise<Place | undefined>;
  /** The stream ends before the recorded place: NATS has lost its end. */
  onRolledBack: () => Promise<void>;
}

/** At most this many messages are on their way from NATS. */
const REQUESTED = 500;
/** The server that keeps the consumer may die while another one serves us: silence tells. */
const HEARTBEAT_MS = 2_000;
const EXPIRES_MS = 10_000;
const FORGET_AFTER_MS = 30_000;

export async function openRecordingSource(options: SourceOptions): Promise<RecordingSource> {
  const { connection, stream } = options;
  const manager = await jetstreamManager(connection);
  const { created, state } = await manager.streams.info(stream);
  const place = await placeIn(created, state.last_seq, options);
  const storedAt = state.last_seq === 0 ? null : Date.parse(state.last_ts);
  const end = { created, sequence: state.last_seq, storedAt };
  const messages = await consumeFrom(place, manager, options);
  return { place, end, isEmpty: state.messages === 0, messages };
}

/** The recorded place, or the begin of a stream of which nothing is recorded for certain. */
async function placeIn(
  created: string,
  last: number,
  { stream, recorded, onRolledBack }: SourceOptions,
): Promise<Place> {
  const place = await recorded(stream);
  if (place?.created === created) {
    if (place.sequence <= last) return place;
    await onRolledBack();
  }
  return { created, sequence: 0, storedAt: null };
}

async function consumeFrom(
  { sequence, storedAt }: Place,
  manager: JetStreamManager,
  { connection, stream }: SourceOptions,
): Promise<ConsumerMessages> {
  const consumer = await manager.consumers.add(stream, {
    name: `record_${nuid.next()}`,
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: storedAt === null ? sequence + 1 : sequence,
    mem_storage: true,
    num_replicas: 1,
    inactive_threshold: nanos(FORGET_AFTER_MS),
  });
  return jetstream(connection)
    .consumers.getConsumerFromInfo(consumer)
    .consume({ max_messages: REQUESTED, expires: EXPIRES_MS, idle_heartbeat: HEARTBEAT_MS });
}
