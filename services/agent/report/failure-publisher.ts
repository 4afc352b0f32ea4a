/**
 * Publishes failures to NATS, in the order of their positions, at least once.
 *
 * Per lane one batch is under way at a time: it is sent at once when no other is, and gathered
 * while an acknowledgement is awaited. A batch that gets none is sent again until it does, under
 * the same id; the coordinator tells by the positions which failures it has counted before. While
 * a failure is provisional, it waits, and with it everything behind it in its source.
 */
import type { Provisional } from "../../detection/attempts/provisional.ts";
import { WithdrawnAttempts } from "../../detection/attempts/withdrawn-attempts.ts";
import { createListeners } from "../../process/listeners.ts";
import { retry, type Pauses } from "../../process/retry.ts";
import { encodeFailureBatch, failureBatchId } from "../../wire/failure.ts";
import { failureSubject } from "../../wire/subjects.ts";
import { Backlog } from "./backlog.ts";
import {
  PublishLane,
  type Acknowledged,
  type ReadLines,
  type UnsentBatch,
} from "./publish-lane.ts";

export type { ReadLines } from "./publish-lane.ts";

export interface FailurePublisher {
  /**
   * Takes what was found in the lines of a source between two positions. Returns a promise
   * where the reader must wait, because too much is not yet acknowledged.
   */
  add(lines: ReadLines): Promise<void> | undefined;
  /** Up to where everything of a lane's present epoch is acknowledged. */
  acknowledged(lane: string, epoch: string): Acknowledged;
  /** Failures that wait for their acknowledgement. */
  backlog(): number;
  /** Calls `listener` whenever something was acknowledged, or read without a failure. */
  onProgress(listener: () => void): void;
  /** Calls `listener` whenever a provisional failure goes on its way. */
  onSettled(listener: (provisional: Provisional) => void): void;
  close(): void;
}

export interface FailurePublisherOptions {
  host: string;
  /** Resolves with the message's sequence in the stream when the message is stored. */
  publish: (subject: string, bytes: Uint8Array, id: string) => Promise<{ seq: number }>;
  now: () => number;
  /** A batch was stored, under this sequence of the stream. */
  onStored: (sequence: number) => void;
  /** A batch was not stored, and is sent again. */
  onTrouble: (error: unknown) => void;
  /** Reading pauses from this many failures on that await acknowledgement; undefined: 10,000. */
  maxUnacknowledged?: number;
  /** Of one message, as the server takes them; undefined: not known. */
  maxBytes?: () => number | undefined;
}

/** One failure with the longest names, every character of them escaped in JSON. */
const FAILURE_BYTES = 2_400;
/** Failures in one batch: no attacker makes a batch of more than MAX_MESSAGE_BYTES, which nobody reads. */
const BATCH = 400;
const MAX_UNACKNOWLEDGED = 10_000;
const PAUSES: Pauses = { firstMs: 100, longestMs: 2_000 };

export function createFailurePublisher(options: FailurePublisherOptions): FailurePublisher {
  return new BatchPublisher(options);
}

class BatchPublisher implements FailurePublisher {
  readonly #options: FailurePublisherOptions;
  readonly #lanes = new Map<string, PublishLane>();
  /** Failures that NATS has not acknowledged. */
  readonly #backlog: Backlog;
  readonly #withdrawn = new WithdrawnAttempts();
  readonly #progress = createListeners<[]>();
  readonly #settled = createListeners<[provisional: Provisional]>();
  readonly #ended = new AbortController();

  constructor(options: FailurePublisherOptions) {
    this.#options = options;
    this.#backlog = new Backlog(options.maxUnacknowledged ?? MAX_UNACKNOWLEDGED);
  }

  add(lines: ReadLines): Promise<void> | undefined {
    this.#withdrawn.note(lines.withdrawn);
    const lane = this.#laneOf(lines);
    lane.add(lines);
    this.#backlog.grow(lines.failures.length);
    void this.#work(lane);
    return this.#backlog.wait();
  }

  acknowledged(lane: string, epoch: string): Acknowledged {
    return this.#lanes.get(lane)?.acknowledged(epoch) ?? { state: "all" };
  }

  backlog(): number {
    return this.#backlog.size();
  }

  onProgress(listener: () => void): void {
    this.#progress.add(listener);
  }

  onSettled(listener: (provisional: Provisional) => void): void {
    this.#settled.add(listener);
  }

  close(): void {
    this.#ended.abort();
    for (const lane of this.#lanes.values()) lane.stopWaiting();
  }

  /**
   * Sends what can be sent of a lane. Nothing is awaited between the look that finds no batch and
   * `endSending`: what is read after that look begins another call.
   */
  async #work(lane: PublishLane): Promise<void> {
    if (!lane.beginSending()) return;
    for (let batch = this.#nextBatch(lane); batch; batch = this.#nextBatch(lane)) {
      if ((await this.#send(batch)) === "ended") return;
      lane.acknowledge(batch);
      this.#backlog.shrink(batch.failures.length);
      this.#progress.call();
    }
    if (lane.skipToEnd()) this.#progress.call();
    lane.endSending(this.#options.now(), this.#ended.signal, () => void this.#work(lane));
  }

  #laneOf(lines: ReadLines): PublishLane {
    const known = this.#lanes.get(lines.lane);
    if (known) return known;
    const { call: onSettled } = this.#settled;
    const lane = new PublishLane(lines, { withdrawn: this.#withdrawn, onSettled });
    this.#lanes.set(lines.lane, lane);
    return lane;
  }

  #nextBatch(lane: PublishLane): UnsentBatch | undefined {
    const { maxBytes, now } = this.#options;
    this.#backlog.shrink(lane.dropWithdrawn());
    const most = Math.floor((maxBytes?.() ?? Infinity) / FAILURE_BYTES);
    return lane.takeBatch(Math.max(1, Math.min(BATCH, most)), now());
  }

  /** Resolves when the batch is stored; "ended": the publisher was closed before. */
  async #send(unsent: UnsentBatch): Promise<"stored" | "ended"> {
    const { host, publish, now, onStored, onTrouble } = this.#options;
    const store = async () => {
      const batch = { ...unsent, host, sentAt: now() };
      const bytes = encodeFailureBatch(batch);
      const { seq } = await publish(failureSubject(batch.jail, host), bytes, failureBatchId(batch));
      onStored(seq);
      return "stored" as const;
    };
    const retrying = { pauses: PAUSES, signal: this.#ended.signal, onFailed: onTrouble };
    return (await retry(store, retrying)) ?? "ended";
  }
}
