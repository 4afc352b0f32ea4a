/**
 * What of one lane was read, is in a batch, and is acknowledged. A lane has positions of its own:
 * it is a source, or one of the files of a source.
 *
 * Invariants:
 * - Batches have failures in the order of their positions, and between two batches lies nothing but
 *   lines without a failure.
 * - No batch has failures of two epochs.
 * - A failure that is still provisional is in no batch, nor is what stands behind it. From when on
 *   it is in a batch it is settled, and nothing is withdrawn.
 */
import type { Failure, Found } from "../../detection/attempts/failure.ts";
import { isUndecided, type Provisional } from "../../detection/attempts/provisional.ts";
import type { WithdrawnAttempts } from "../../detection/attempts/withdrawn-attempts.ts";
import type { FailureBatch } from "../../wire/failure.ts";

export interface ReadLines extends Found {
  /** Names what has positions of its own: the source, or one of its files. */
  lane: string;
  source: string;
  jail: string;
  epoch: string;
  from: number;
  to: number;
}

/** Up to where a lane's epoch is acknowledged. */
export type Acknowledged =
  | { state: "up-to"; position: number }
  | { state: "all" } // Nothing of the lane awaits an acknowledgement.
  | { state: "not-yet" }; // Something of the epoch before may still await its acknowledgement.

export type UnsentBatch = Omit<FailureBatch, "sentAt" | "host">;

interface Place {
  epoch: string;
  position: number;
}

type Phase =
  | { phase: "idle" }
  | { phase: "sending" } // Batches are made and sent, one after another.
  | { phase: "waiting"; timer: NodeJS.Timeout }; // The first failure of all is provisional.

export interface LaneOptions {
  /** Withdrawals of every lane. */
  withdrawn: WithdrawnAttempts;
  /** Nothing of the failure is to be withdrawn from now on. */
  onSettled: (provisional: Provisional) => void;
}

export class PublishLane {
  readonly #source: string;
  readonly #options: LaneOptions;
  /** Failures that are in no batch yet, in the order of their positions. */
  #waiting: { failure: Failure; epoch: string; jail: string }[] = [];
  /** The end of what was read. */
  #read: Place;
  /** The end of the last batch that was made. */
  #batched: Place;
  /** The end of what NATS has acknowledged. */
  #acknowledged: Place;
  #phase: Phase = { phase: "idle" };

  constructor({ source, epoch, from: position }: ReadLines, options: LaneOptions) {
    this.#source = source;
    this.#options = options;
    this.#read = { epoch, position };
    this.#batched = { epoch, position };
    this.#acknowledged = { epoch, position };
  }

  add({ epoch, jail, to, failures }: ReadLines): void {
    this.#read = { epoch, position: to };
    for (const failure of failures) this.#waiting.push({ failure, epoch, jail });
  }

  /** false: it is being sent from already. */
  beginSending(): boolean {
    if (this.#phase.phase === "sending") return false;
    this.stopWaiting();
    this.#phase = { phase: "sending" };
    return true;
  }

  /** Calls `wake` when the first failure that waits is decided, unless `signal` comes first. */
  endSending(now: number, signal: AbortSignal, wake: () => void): void {
    this.#phase = { phase: "idle" };
    const provisional = this.#waiting[0]?.failure.provisional;
    if (!provisional || signal.aborted) return;
    const leftMs = Math.max(provisional.until - now, 1);
    this.#phase = { phase: "waiting", timer: setTimeout(wake, leftMs) };
  }

  /** Ends the wait for a provisional failure. */
  stopWaiting(): void {
    if (this.#phase.phase === "waiting") clearTimeout(this.#phase.timer);
  }

  /** Failures of which nothing is left are not published. Returns how many they were. */
  dropWithdrawn(): number {
    if (!this.#waiting.some(({ failure }) => failure.provisional)) return 0;
    const all = this.#waiting.length;
    const { withdrawn } = this.#options;
    this.#waiting = this.#waiting.filter(({ failure }) => withdrawn.attemptsLeft(failure) > 0);
    return all - this.#waiting.length;
  }

  /** The next failures of one epoch, at most `limit`; undefined: none can be sent now. */
  takeBatch(limit: number, now: number): UnsentBatch | undefined {
    const [first] = this.#waiting;
    if (!first || isUndecided(first.failure.provisional, now)) return undefined;
    const { epoch, jail } = first;
    let count = 0;
    for (const next of this.#waiting) {
      if (count === limit || next.epoch !== epoch) break;
      if (isUndecided(next.failure.provisional, now)) break;
      count += 1;
    }
    const failures = this.#waiting.splice(0, count).map(({ failure }) => this.#settle(failure));
    // With nothing left, the batch covers all that was read; otherwise up to its last failure.
    const isAll = this.#waiting.length === 0 && this.#read.epoch === epoch;
    const to = isAll ? this.#read.position : (failures.at(-1)?.position ?? this.#batched.position);
    const from = this.#batched.epoch === epoch ? Math.min(this.#batched.position, to) : 0;
    this.#batched = { epoch, position: to };
    return { v: 1, jail, source: this.#source, epoch, from, to, failures };
  }

  /** From now on nothing of the failure is withdrawn. */
  #settle(failure: Failure): FailureBatch["failures"][number] {
    const { withdrawn, onSettled } = this.#options;
    if (failure.provisional) onSettled(failure.provisional);
    return asSent(failure, withdrawn.attemptsLeft(failure));
  }

  /** NATS has stored the batch. */
  acknowledge({ epoch, to }: UnsentBatch): void {
    this.#acknowledged = { epoch, position: to };
  }

  /** Lines without a failure need no batch. Returns false where a failure still waits. */
  skipToEnd(): boolean {
    if (this.#waiting.length > 0) return false;
    // The first batch of an epoch begins with the epoch.
    if (this.#batched.epoch === this.#read.epoch) this.#batched = this.#read;
    this.#acknowledged = this.#read;
    return true;
  }

  acknowledged(epoch: string): Acknowledged {
    const { epoch: acknowledged, position } = this.#acknowledged;
    if (epoch === acknowledged) return { state: "up-to", position };
    const isIdle = this.#phase.phase !== "sending" && this.#waiting.length === 0;
    return { state: isIdle ? "all" : "not-yet" };
  }
}

/** The failure as the wire allows it. */
function asSent(failure: Failure, attempts: number): FailureBatch["failures"][number] {
  const { address, at, form, position, user, service, session } = failure;
  return {
    ...{ position, address, at, attempts, form },
    ...(user !== undefined && { user: user.slice(0, 256) }),
    ...(service !== undefined && { service: service.slice(0, 32) }),
    ...(session !== undefined && { session: session.slice(0, 64) }),
  };
}
