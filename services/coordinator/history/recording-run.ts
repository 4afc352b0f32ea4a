/**
 * One run of the recorder through a stream: from the recorded place until a message may have been
 * missed. Messages that arrive while a batch is being written are the next batch.
 *
 * Invariants:
 * - The place is written after the rows.
 * - The place moves behind messages that are gone from the stream only by proof (see
 *   end-proof.ts), and only when everything before them is recorded.
 */
import type { JsMsg } from "@nats-io/jetstream";
import { createEndProof, type EndProof } from "../../nats/end-proof.ts";
import { storedAtOf } from "../decide/clock-correction.ts";
import type { Recordable } from "./commit.ts";
import { MessageQueue } from "./message-queue.ts";
import type { Place } from "./place.ts";
import type { RecordingSource } from "./recording-source.ts";

/** A message that waits to be recorded, or the proof that nothing is left up to its sequence. */
interface Waiting<T> extends Recordable<T> {
  sequence: number;
  storedAt: number | null;
}

export interface RunOptions<T> {
  decode: (message: JsMsg) => T | undefined;
  /** Resolves when all is recorded; false: this coordinator no longer records. */
  commit: (messages: readonly Recordable<T>[]) => Promise<boolean>;
  /** Everything up to this place is recorded. */
  writePlace: (place: Place) => Promise<void>;
  /** The stream holds another message than the recorded one under the number of the place. */
  onRolledBack: () => Promise<void>;
  /** Waits until more messages have arrived, so that they are written at once. */
  gather: () => Promise<void>;
}

const BATCH = 500;
/** At most this many messages wait in memory; the others wait in the stream. */
const MAX_BUFFERED = 4 * BATCH;
/** Signs that the consumer is gone: it lived in the memory of a server. */
const LOST: ReadonlySet<string> = new Set([
  "heartbeats_missed",
  "consumer_not_found",
  "consumer_deleted",
  "stream_not_found",
]);

export class RecordingRun<T> {
  readonly #source: RecordingSource;
  readonly #options: RunOptions<T>;
  readonly #queue = new MessageQueue<Waiting<T>>(MAX_BUFFERED);
  /** That everything which the stream had when the run began was delivered, or is gone. */
  readonly #proof: EndProof;
  #phase: "gathering" | "writing" = "gathering";
  /** Messages that were delivered in this run. */
  #deliveries = 0;

  constructor(source: RecordingSource, options: RunOptions<T>) {
    this.#source = source;
    this.#options = options;
    this.#proof = createEndProof(source.isEmpty ? 0 : source.end.sequence);
  }

  /** Resolves when another run must go on; throws what `commit` and `writePlace` throw. */
  async run(): Promise<void> {
    const { isEmpty, end } = this.#source;
    if (isEmpty) await this.#options.writePlace(end);
    const reading = this.#read().finally(() => {
      this.#queue.close();
    });
    reading.catch(() => {}); // Is thrown below, after what was read is recorded.
    void this.#followConsumer();
    try {
      await this.#write();
    } finally {
      this.stop();
    }
    await reading;
  }

  stop(): void {
    this.#source.messages.stop();
    this.#queue.close();
  }

  async #read(): Promise<void> {
    for await (const message of this.#source.messages) {
      this.#deliveries += 1;
      if (message.info.deliverySequence !== this.#deliveries) return;
      this.#proof.delivered(message.seq);
      const { place } = this.#source;
      if (message.seq !== place.sequence) await this.#add(message);
      else if (storedAtOf(message) !== place.storedAt) return this.#options.onRolledBack();
    }
  }

  async #add(message: JsMsg): Promise<void> {
    const value = once(() => this.#options.decode(message));
    const { seq: sequence, subject } = message;
    this.#queue.add({ sequence, storedAt: storedAtOf(message), subject, value });
    // While PostgreSQL works there is time to decode. Otherwise the decider, which gets the same
    // message, goes first.
    if (this.#phase === "writing") value();
    await this.#queue.room();
  }

  async #followConsumer(): Promise<void> {
    const { messages } = this.#source;
    for await (const status of messages.status()) {
      if (LOST.has(status.type)) messages.stop();
      if (status.type === "heartbeat") {
        this.#noteHeartbeat(status.lastConsumerSequence, status.lastStreamSequence);
      }
    }
  }

  /** The messages at the end are gone: the place moves there when all before is recorded. */
  #noteHeartbeat(deliveries: number, streamSequence: number): void {
    if (this.#proof.isComplete()) return;
    this.#proof.reported(deliveries, streamSequence);
    if (!this.#proof.isComplete()) return;
    const { sequence, storedAt } = this.#source.end;
    this.#queue.add({ sequence, storedAt, subject: "", value: () => undefined });
  }

  async #write(): Promise<void> {
    const { created } = this.#source.place;
    while (await this.#queue.hasNext()) {
      if (this.#queue.length < BATCH) await this.#options.gather();
      const batch = this.#queue.take(BATCH);
      const last = batch.at(-1);
      if (!last) continue;
      this.#phase = "writing";
      if (!(await this.#options.commit(batch))) return;
      const { sequence, storedAt } = last;
      await this.#options.writePlace({ created, sequence, storedAt });
      this.#phase = "gathering";
    }
  }
}

function once<V>(make: () => V): () => V {
  let made: { value: V } | undefined;
  return () => (made ??= { value: make() }).value;
}
