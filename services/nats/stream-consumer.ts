/**
 * A consumer of NATS that delivers a stream to one run (see stream-run.ts).
 *
 * It lives in the memory of one server. In a cluster that may be another server than the one we
 * are connected to.
 */
import { AckPolicy, jetstreamManager, type ConsumerConfig } from "@nats-io/jetstream";
import { createInbox, nanos, nuid, type NatsConnection } from "@nats-io/nats-core";

/** What a stream is at one moment. */
export interface StreamState {
  /** Names the stream: another one when it was made anew. */
  created: string;
  /**
   * The last sequence that the stream has. It is less than what was delivered before where NATS
   * has lost the end of the stream in a power failure: what is stored since has the same numbers.
   */
  last: number;
  /** The number of subjects with messages in the stream; undefined: NATS does not report it. */
  subjects: number | undefined;
  isEmpty: boolean;
}

export interface StreamConsumer {
  /** The subject that NATS delivers to. */
  inbox: string;
  /** What the stream was when the consumer was there. */
  state: StreamState;
  /** Where NATS begins to deliver. */
  begins: { deliveries: number; sequence: number };
  /** Asks NATS for the present state of the stream. */
  look(): Promise<StreamState>;
}

export interface ConsumerOptions {
  connection: NatsConnection;
  stream: string;
  /** Where the consumer begins. */
  startFrom: (state: { created: string; last: number }) => Partial<ConsumerConfig>;
}

export const HEARTBEAT_MS = 2_000;
/** NATS forgets a consumer that nobody listens to after this long. */
const FORGET_AFTER_MS = 30_000;

/** undefined: the stream was made anew meanwhile. `timeout` is for each request, in milliseconds. */
export async function openConsumer(
  { connection, stream, startFrom }: ConsumerOptions,
  timeout: number,
): Promise<StreamConsumer | undefined> {
  const manager = await jetstreamManager(connection, { checkAPI: false, timeout });
  const look = async () => {
    const { created, state } = await manager.streams.info(stream);
    const { last_seq: last, num_subjects: subjects, messages } = state;
    return { created, last, subjects, isEmpty: messages === 0 };
  };
  const before = await look();
  const inbox = createInbox(manager.getOptions().watcherPrefix);
  const { delivered } = await manager.consumers.add(stream, {
    ...startFrom(before),
    name: `follow_${nuid.next()}`,
    deliver_subject: inbox,
    filter_subject: ">",
    ack_policy: AckPolicy.None,
    max_deliver: 1,
    mem_storage: true,
    num_replicas: 1,
    flow_control: true,
    idle_heartbeat: nanos(HEARTBEAT_MS),
    inactive_threshold: nanos(FORGET_AFTER_MS),
  });
  // Asked now: whatever the stream had at this moment, this consumer delivers.
  const state = await look();
  if (state.created !== before.created) return undefined;
  const begins = { deliveries: delivered.consumer_seq, sequence: delivered.stream_seq };
  return { inbox, state, begins, look };
}
