/**
 * One run through a stream: from where its consumer begins, until something may have been missed.
 *
 * Invariants:
 * - The reader gets every message that the consumer delivers, in order, until the run is over.
 * - Deliveries are read in slices of a few milliseconds, because a stream's past may be long, and
 *   whatever else this process has to do must not wait for it.
 * - The run is over as soon as a delivery is missing. When the server that keeps the consumer dies,
 *   nothing says so but silence. So NATS sends heartbeats, and the run is over when two of them are
 *   missing. (The client's own ordered consumer insists on a heartbeat every 30 s: a minute
 *   without bans.)
 */
import type { NatsConnection } from "@nats-io/nats-core";
import { withResolvers } from "../process/with-resolvers.ts";
import { inSlices } from "../process/slices.ts";
import { subscribeToDeliveries, type Delivery, type StoredMessage } from "./delivery.ts";
import { createEndProof, type EndProof } from "./end-proof.ts";
import { HEARTBEAT_MS, type StreamConsumer, type StreamState } from "./stream-consumer.ts";

export interface StreamReader {
  /** A run begins. */
  begin(state: StreamState): void;
  message(message: StoredMessage): void;
  /**
   * Everything that the stream had when the run began has been delivered, or is proved to be gone
   * from the stream (see end-proof.ts). Comes once a run.
   */
  caughtUp(): void;
}

type Phase =
  | "reading" // Some messages that the stream had when the run began are not delivered yet.
  | "live" // All of them are delivered. New messages are delivered as they come.
  | "over";

const MISSING_HEARTBEATS = 2;

export class StreamRun {
  /** Resolves when something may have been missed; rejects with what the reader has thrown. */
  readonly over: Promise<void>;
  readonly #reader: StreamReader;
  /** Tells when the phase changes from "reading" to "live". */
  readonly #proof: EndProof;
  /** Settles `over`. */
  readonly #settle: { resolve: () => void; reject: (reason: unknown) => void };
  /** Where NATS's deliveries arrive. */
  readonly #subscription: { unsubscribe(): void };
  /** Counts the heartbeats that are missing. */
  readonly #listening: NodeJS.Timeout;
  #phase: Phase = "reading";
  /** Deliveries that have arrived and are not read yet, the oldest first. */
  #unread: Delivery[] = [];
  #isReading = false;
  /** Messages that were delivered in this run. */
  #deliveries = 0;
  /** Heartbeats that are missing since NATS was last heard. */
  #missingHeartbeats = 0;

  constructor(connection: NatsConnection, consumer: StreamConsumer, reader: StreamReader) {
    const { inbox, state, begins } = consumer;
    const { promise, resolve, reject } = withResolvers();
    this.over = promise;
    this.#settle = { resolve, reject };
    this.#reader = reader;
    this.#proof = createEndProof(state.last);
    this.#listening = setInterval(() => {
      this.#missingHeartbeats += 1;
      if (this.#missingHeartbeats > MISSING_HEARTBEATS) this.end();
    }, HEARTBEAT_MS);
    reader.begin(state);
    if (state.isEmpty) this.#proof.reported(0, state.last);
    this.#proof.reported(begins.deliveries, begins.sequence);
    this.#noteProgress();
    const subscription = subscribeToDeliveries(connection, inbox, (delivery) => {
      this.#arrived(delivery);
    });
    this.#subscription = subscription;
    void subscription.closed.then(() => {
      this.end();
    });
  }

  end(): void {
    if (this.#phase === "over") return;
    this.#phase = "over";
    clearInterval(this.#listening);
    this.#subscription.unsubscribe();
    this.#settle.resolve();
  }

  #arrived(delivery: Delivery): void {
    this.#missingHeartbeats = 0;
    this.#unread.push(delivery);
    if (this.#isReading) return;
    this.#isReading = true;
    setImmediate(() => void this.#readAll());
  }

  async #readAll(): Promise<void> {
    while (this.#unread.length > 0) {
      const deliveries = this.#unread;
      this.#unread = [];
      await inSlices(deliveries, (delivery) => {
        this.#take(delivery);
      });
    }
    this.#isReading = false;
  }

  #take(delivery: Delivery): void {
    if (this.#phase === "over") return;
    try {
      if (this.#read(delivery) === "missed") this.end();
    } catch (error) {
      this.#settle.reject(error);
      this.end();
    }
  }

  /** "missed": something may not have been delivered, and another run is to deliver it. */
  #read(delivery: Delivery): "missed" | "in order" {
    switch (delivery.type) {
      case "message":
        this.#deliveries += 1;
        if (delivery.deliveries !== this.#deliveries) return "missed";
        this.#reader.message(delivery.message);
        this.#proof.delivered(delivery.message.sequence);
        this.#noteProgress();
        return "in order";
      case "heartbeat":
        if (delivery.deliveries !== this.#deliveries) return "missed";
        this.#proof.reported(this.#deliveries, delivery.sequence);
        this.#noteProgress();
        // NATS stops at a message that was deleted since the run began, or lags behind the
        // stream's end. A new run has neither.
        if (this.#phase === "reading" && !delivery.confirm) return "missed";
        delivery.confirm?.();
        return "in order";
      case "flow-control":
        delivery.confirm();
        return "in order";
      case "ended":
        return "missed";
    }
  }

  #noteProgress(): void {
    if (this.#phase !== "reading" || !this.#proof.isComplete()) return;
    this.#phase = "live";
    this.#reader.caughtUp();
  }
}
