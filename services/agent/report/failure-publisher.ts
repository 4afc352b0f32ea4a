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
  const { host, publish, now, onStored, onTrouble, maxBytes } = options;
  const { maxUnacknowledged = MAX_UNACKNOWLEDGED } = options;
  const lanes = new Map<string, PublishLane>();
  const backlog = new Backlog(maxUnacknowledged);
  const progress = createListeners<[]>();
  const settled = createListeners<[provisional: Provisional]>();
  const withdrawn = new WithdrawnAttempts();
  const laneOptions = { withdrawn, onSettled: settled.call };
  const ended = new AbortController();

  /** Resolves when the batch is stored; "ended": the publisher was closed before. */
  async function send(unsent: UnsentBatch): Promise<"stored" | "ended"> {
    const store = async () => {
      const batch = { ...unsent, host, sentAt: now() };
      const bytes = encodeFailureBatch(batch);
      const { seq } = await publish(failureSubject(batch.jail, host), bytes, failureBatchId(batch));
      onStored(seq);
      return "stored" as const;
    };
    const retrying = { pauses: PAUSES, signal: ended.signal, onFailed: onTrouble };
    return (await retry(store, retrying)) ?? "ended";
  }

  function nextBatch(lane: PublishLane): UnsentBatch | undefined {
    backlog.shrink(lane.dropWithdrawn());
    const most = Math.floor((maxBytes?.() ?? Infinity) / FAILURE_BYTES);
    return lane.takeBatch(Math.max(1, Math.min(BATCH, most)), now());
  }

  /**
   * Sends what can be sent of a lane. Nothing is awaited between the look that finds no batch and
   * `endSending`: what is read after that look begins another call.
   */
  async function work(lane: PublishLane): Promise<void> {
    if (!lane.beginSending()) return;
    for (let batch = nextBatch(lane); batch; batch = nextBatch(lane)) {
      if ((await send(batch)) === "ended") return;
      lane.acknowledge(batch);
      backlog.shrink(batch.failures.length);
      progress.call();
    }
    if (lane.skipToEnd()) progress.call();
    lane.endSending(now(), ended.signal, () => void work(lane));
  }

  return {
    add(lines) {
      withdrawn.note(lines.withdrawn);
      const lane = lanes.get(lines.lane) ?? new PublishLane(lines, laneOptions);
      lanes.set(lines.lane, lane);
      lane.add(lines);
      backlog.grow(lines.failures.length);
      void work(lane);
      return backlog.wait();
    },
    acknowledged: (name, epoch) => lanes.get(name)?.acknowledged(epoch) ?? { state: "all" },
    backlog: () => backlog.size(),
    onProgress: progress.add,
    onSettled: settled.add,
    close() {
      ended.abort();
      for (const lane of lanes.values()) lane.stopWaiting();
    },
  };
}
