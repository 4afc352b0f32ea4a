/**
 * Publishes failures to NATS, in the order of their positions, at least once.
 *
 * Per lane one batch is under way at a time: sent at once when nothing is, gathered
 * while an acknowledgement is awaited. A batch that gets none is sent again until it does, under
 * the same id; who counts tells by the positions what was seen before. A failure that may still
 * have to be taken back is waited for, with all that stands behind it in its source.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { attemptsOf, type Failure } from "../../detection/attempts/failure.ts";
import { encodeFailureBatch, failureBatchId, type FailureBatch } from "../../wire/failure.ts";
import { failureSubject } from "../../wire/subjects.ts";

export interface FailurePublisher {
  /**
   * Takes what was found in the lines of a source between two positions. Returns a promise
   * where the reader must wait, because too much is not yet acknowledged.
   */
  add(lines: ReadLines): Promise<void> | undefined;
  /**
   * Position up to which everything of a lane's present epoch is acknowledged; -1: not even
   * everything of the epoch before.
   */
  acknowledged(lane: string, epoch: string): number;
  /** Failures that wait for their acknowledgement. */
  backlog(): number;
  /** Calls `listener` whenever something was acknowledged, or read without a failure. */
  onProgress(listener: () => void): void;
  close(): void;
}

export interface ReadLines {
  /** What has positions of its own: the source, or one of its files. */
  lane: string;
  source: string;
  jail: string;
  epoch: string;
  from: number;
  to: number;
  failures: readonly Failure[];
}

export interface FailurePublisherOptions {
  host: string;
  /** Resolves when the message is stored. */
  publish: (subject: string, bytes: Uint8Array, id: string) => Promise<unknown>;
  now: () => number;
  /** A batch was stored. */
  onStored: () => void;
  /** A batch was not stored, and is sent again. */
  onTrouble: (error: unknown) => void;
  /** Of one message, as the server takes them; undefined: not known. */
  maxBytes?: () => number | undefined;
}

/** One failure with the longest names, every character of them escaped in JSON. */
const FAILURE_BYTES = 2_400;
/**
 * Failures in one batch: no attacker makes a batch of more than MAX_MESSAGE_BYTES, which nobody reads.
 */
const BATCH = 400;
/** Reading waits while at least this many failures await their acknowledgement. */
const BACKLOG = 10_000;
const LONGEST_HOLD_MS = 10_000;
const RETRY_MS = { first: 100, longest: 2_000 };

type UnsentBatch = Omit<FailureBatch, "sentAt">;

interface Lane {
  source: string;
  waiting: { failure: Failure; epoch: string; jail: string }[];
  /** The end of what was read. */
  read: number;
  /** The end of the last batch that was made. */
  sent: number;
  acknowledged: number;
  /** Of what was read last, of the last batch that was made, and of what is acknowledged. */
  readEpoch: string;
  sentEpoch: string;
  acknowledgedEpoch: string;
  busy: boolean;
  timer: NodeJS.Timeout | undefined;
}

export function createFailurePublisher(options: FailurePublisherOptions): FailurePublisher {
  const { host, publish, now, onStored, onTrouble, maxBytes } = options;
  const lanes = new Map<string, Lane>();
  const ended = new AbortController();
  const listeners: (() => void)[] = [];
  let backlog = 0;
  let readers: (() => void)[] = [];

  function laneOf({ lane: name, source, from, epoch }: ReadLines): Lane {
    const known = lanes.get(name);
    if (known) return known;
    const made: Lane = {
      source,
      waiting: [],
      read: from,
      sent: from,
      acknowledged: from,
      readEpoch: epoch,
      sentEpoch: epoch,
      acknowledgedEpoch: epoch,
      busy: false,
      timer: undefined,
    };
    lanes.set(name, made);
    return made;
  }

  async function send(batch: UnsentBatch): Promise<void> {
    const subject = failureSubject(batch.jail, host);
    for (let delay = RETRY_MS.first; ; delay = Math.min(delay * 2, RETRY_MS.longest)) {
      try {
        const bytes = encodeFailureBatch({ ...batch, sentAt: now() });
        await publish(subject, bytes, failureBatchId(batch));
        onStored();
        return;
      } catch (error) {
        ended.signal.throwIfAborted();
        onTrouble(error);
        await sleep(delay, undefined, { signal: ended.signal });
      }
    }
  }

  /** The next failures of one epoch, at most a batch full. */
  function takeBatch(lane: Lane): UnsentBatch | undefined {
    dropWithdrawn(lane);
    const [first] = lane.waiting;
    if (!first || isHeld(first.failure)) return undefined;
    const { epoch, jail } = first;
    let count = 0;
    const most = Math.floor((maxBytes?.() ?? Infinity) / FAILURE_BYTES);
    const size = Math.max(1, Math.min(BATCH, most));
    for (const each of lane.waiting) {
      if (count === size || each.epoch !== epoch || isHeld(each.failure)) break;
      count += 1;
    }
    const failures = lane.waiting.splice(0, count).map(({ failure }) => bounded(failure));
    // With nothing left, the batch covers all that was read; else up to its last failure.
    const isAll = lane.waiting.length === 0 && lane.readEpoch === epoch;
    const to = isAll ? lane.read : (failures.at(-1)?.position ?? lane.sent);
    const from = lane.sentEpoch === epoch ? Math.min(lane.sent, to) : 0;
    lane.sentEpoch = epoch;
    lane.sent = to;
    return { v: 1, host, jail, source: lane.source, epoch, from, to, failures };
  }

  /** Is it not known yet whether this was a failure? From when on it is sent nothing takes it back. */
  function isHeld({ hold }: Failure): boolean {
    if (!hold) return false;
    const left = hold.until - now();
    // Longer than any: the clock was set back.
    if (left <= 0 || left > LONGEST_HOLD_MS) hold.isOver = true;
    return !hold.isOver;
  }

  function dropWithdrawn(lane: Lane): void {
    if (!lane.waiting.some(({ failure }) => failure.hold)) return;
    const left = lane.waiting.filter(({ failure }) => attemptsOf(failure) > 0);
    shrink(lane.waiting.length - left.length);
    lane.waiting = left;
  }

  /** `count` failures no longer await anything. */
  function shrink(count: number): void {
    backlog -= count;
    if (backlog >= BACKLOG / 2) return;
    for (const proceed of readers) proceed();
    readers = [];
  }

  function wakeLater(lane: Lane, { hold }: Failure): void {
    if (!hold || ended.signal.aborted) return;
    clearTimeout(lane.timer);
    lane.timer = setTimeout(() => void work(lane), Math.max(hold.until - now(), 1));
  }

  function noteProgress(): void {
    for (const listener of listeners) listener();
  }

  async function work(lane: Lane): Promise<void> {
    if (lane.busy) return;
    lane.busy = true;
    try {
      for (let batch = takeBatch(lane); batch; batch = takeBatch(lane)) {
        await send(batch);
        lane.acknowledged = batch.to;
        lane.acknowledgedEpoch = batch.epoch;
        shrink(batch.failures.length);
        noteProgress();
      }
      const [held] = lane.waiting;
      if (held) {
        wakeLater(lane, held.failure);
        return;
      }
      lane.sent = lane.read;
      lane.acknowledged = lane.read;
      lane.acknowledgedEpoch = lane.readEpoch;
      noteProgress();
    } catch (error) {
      if (!ended.signal.aborted) throw error;
    } finally {
      lane.busy = false;
    }
  }

  return {
    add(lines) {
      const { jail, epoch, to, failures } = lines;
      const lane = laneOf(lines);
      lane.readEpoch = epoch;
      lane.read = to;
      for (const failure of failures) lane.waiting.push({ failure, epoch, jail });
      backlog += failures.length;
      void work(lane);
      if (backlog < BACKLOG) return undefined;
      return new Promise((resolve) => readers.push(resolve));
    },
    acknowledged(name, epoch) {
      const lane = lanes.get(name);
      if (!lane) return Infinity; // nothing was read of it
      if (epoch === lane.acknowledgedEpoch) return lane.acknowledged;
      // Of the epoch before something may be under way, or held.
      return lane.busy || lane.waiting.length > 0 ? -1 : Infinity;
    },
    backlog: () => backlog,
    onProgress: (listener) => void listeners.push(listener),
    close() {
      ended.abort();
      for (const { timer } of lanes.values()) clearTimeout(timer);
    },
  };
}

/** As the wire allows it. */
function bounded(failure: Failure): FailureBatch["failures"][number] {
  const { address, at, form, position, user, service, session } = failure;
  return {
    ...{ position, address, at, attempts: attemptsOf(failure), form },
    ...(user !== undefined && { user: user.slice(0, 256) }),
    ...(service !== undefined && { service: service.slice(0, 32) }),
    ...(session !== undefined && { session: session.slice(0, 64) }),
  };
}
