/**
 * The outbox: a stream of NATS with the events of three days, from which every sink reads at its own
 * pace. Events survive a killed coordinator, and a sink that is away.
 *
 * Invariants:
 * - Only one coordinator appends: every message names the last sequence that its writer knows, and
 *   NATS rejects it if another coordinator has appended meanwhile (`OutboxTaken`).
 * - Events are appended in order: the place in the last one says how far the bans bucket was read.
 */
import {
  DiscardPolicy,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type JetStreamClient,
  type JetStreamManager,
  type MsgRequest,
  type StoredMsg,
  type StreamInfo,
  type StreamState,
} from "@nats-io/jetstream";
import { nanos, type NatsConnection } from "@nats-io/nats-core";
import { isConflict } from "../../nats/compare-and-set.ts";
import { findStream } from "../../nats/find-stream.ts";
import { WireError } from "../../wire/codec.ts";
import {
  BAN_EVENTS_SUBJECT,
  CONDITION_EVENTS_SUBJECT,
  EVENTS_STREAM,
  EVENTS_SUBJECTS,
} from "../../wire/subjects.ts";
import { decodeEvent, encodeEvent, type NotifyEvent, type Place } from "./event.ts";

/** Another coordinator appends to the outbox now. */
export class OutboxTaken extends Error {
  override name = "OutboxTaken";
}

export interface StoredEvent {
  sequence: number;
  /** By NATS's clock, epoch milliseconds. */
  storedAt: number;
  /** undefined: no coordinator has written that. */
  event: NotifyEvent | undefined;
}

export interface Outbox {
  /** Names the stream, which begins to count anew when NATS loses its storage. */
  readonly created: string;
  /** The sequence of the last event. */
  last(): number;
  /** The sequence of the first event that NATS still has. */
  first(): Promise<number>;
  append(events: readonly NotifyEvent[]): Promise<void>;
  /** The events from `from` to `to`, without those that NATS has no more. At most `PAGE` of them. */
  read(from: number, to: number): Promise<StoredEvent[]>;
  /** Where the events of bans end. */
  lastPlace(): Promise<Place | undefined>;
  /** The sequence before the first event that was stored at `since` or later. */
  before(since: number): Promise<number>;
}

export const PAGE = 64;
/** How long an event waits for a sink that is away. */
export const KEPT_MS = 3 * 86_400_000;
const MOST_EVENTS = 100_000;
const WITHIN_MS = 5_000;
const DUPLICATES_MS = 120_000;

export interface OutboxOptions {
  connection: NatsConnection;
  replicas: number;
}

/** Makes the stream where it is missing. */
export async function openOutbox({ connection, replicas }: OutboxOptions): Promise<Outbox> {
  const manager = await jetstreamManager(connection, { checkAPI: false, timeout: WITHIN_MS });
  return new StreamOutbox(connection, manager, await ensure(manager, replicas));
}

class StreamOutbox implements Outbox {
  readonly created: string;
  readonly #js: JetStreamClient;
  readonly #manager: JetStreamManager;
  /** The last sequence that this coordinator knows. */
  #last: number;

  constructor(connection: NatsConnection, manager: JetStreamManager, stream: StreamInfo) {
    this.created = stream.created;
    this.#js = jetstream(connection);
    this.#manager = manager;
    this.#last = stream.state.last_seq;
  }

  last(): number {
    return this.#last;
  }

  async first(): Promise<number> {
    return (await this.#state()).first_seq;
  }

  async append(events: readonly NotifyEvent[]): Promise<void> {
    await this.#appendInOrder(events.filter(isOfBan));
    for (const condition of events.filter((event) => !isOfBan(event))) {
      await this.#appendInOrder([condition]);
      // NATS may have dropped it as a duplicate.
      this.#last = (await this.#state()).last_seq;
    }
  }

  async read(from: number, to: number): Promise<StoredEvent[]> {
    const end = Math.min(to, from + PAGE - 1);
    const sequences = Array.from({ length: Math.max(0, end - from + 1) }, (_, at) => from + at);
    const found = await Promise.all(sequences.map((seq) => this.#get({ seq })));
    return found.flatMap((message) => (message ? [storedEvent(message)] : []));
  }

  async lastPlace(): Promise<Place | undefined> {
    const message = await this.#get({ last_by_subj: BAN_EVENTS_SUBJECT });
    return message && storedEvent(message).event?.place;
  }

  async before(since: number): Promise<number> {
    return sequenceBefore(await this.#state(), async (seq) => {
      const message = await this.#get({ seq });
      return message !== undefined && message.time.getTime() >= since;
    });
  }

  async #appendInOrder(events: readonly NotifyEvent[]): Promise<void> {
    for (let at = 0; at < events.length; at += PAGE) {
      const page = events.slice(at, at + PAGE);
      try {
        await Promise.all(page.map((event, index) => this.#publish(event, this.#last + index)));
      } catch (error) {
        if (!isConflict(error)) throw error;
        throw new OutboxTaken("another coordinator appends to the outbox", { cause: error });
      }
      this.#last += page.length;
    }
  }

  async #publish(event: NotifyEvent, expected: number): Promise<void> {
    const subject = event.ban ? BAN_EVENTS_SUBJECT : CONDITION_EVENTS_SUBJECT;
    // A duplicate would shift the sequences of those behind it: only conditions come one by one.
    const once = event.condition ? { msgID: event.id } : {};
    const expect = { lastSequence: expected };
    await this.#js.publish(subject, encodeEvent(event), { expect, timeout: WITHIN_MS, ...once });
  }

  /** undefined: NATS does not have such a message. */
  async #get(query: MsgRequest): Promise<StoredMsg | undefined> {
    return (await this.#manager.streams.getMessage(EVENTS_STREAM, query)) ?? undefined;
  }

  async #state(): Promise<StreamState> {
    return (await this.#manager.streams.info(EVENTS_STREAM)).state;
  }
}

/** The sequence before the first message for which `isBehind` holds, which holds for all after it. */
async function sequenceBefore(
  { first_seq, last_seq }: StreamState,
  isBehind: (sequence: number) => Promise<boolean>,
): Promise<number> {
  let [low, high] = [first_seq, last_seq + 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (await isBehind(middle)) high = middle;
    else low = middle + 1;
  }
  return low - 1;
}

const isOfBan = (event: NotifyEvent) => event.ban !== undefined;

async function ensure(manager: JetStreamManager, replicas: number) {
  const wanted = {
    name: EVENTS_STREAM,
    subjects: [EVENTS_SUBJECTS],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    max_age: nanos(KEPT_MS),
    // No bound in bytes: NATS would set that room aside from what the fleet may store.
    max_msgs: MOST_EVENTS,
    duplicate_window: nanos(DUPLICATES_MS),
    num_replicas: replicas,
  };
  const present = await findStream(manager, EVENTS_STREAM);
  if (!present) return manager.streams.add(wanted);
  if (present.config.num_replicas === replicas) return present;
  // A server of the cluster may be away: the stream can be used as it is.
  return manager.streams.update(EVENTS_STREAM, wanted).catch(() => present);
}

function storedEvent(message: StoredMsg): StoredEvent {
  const { seq: sequence, data, subject } = message;
  const storedAt = message.time.getTime();
  try {
    return { sequence, storedAt, event: decodeEvent(data, subject) };
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return { sequence, storedAt, event: undefined };
  }
}
