/**
 * Brings the stream of failures to the decider, each message once as far as can be told.
 *
 * NATS loses what it has not yet brought to its disk (some two minutes) when its machine loses
 * power, and gives the numbers of what is lost to what comes then. So the last message that was taken is
 * read again whenever a run begins; where it is another one, everything is folded again,
 * and the decider drops what it has counted.
 */
import { DeliverPolicy } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import type { Log } from "../../process/log.ts";
import { withResolvers } from "../../process/with-resolvers.ts";
import type { StoredMessage } from "../../nats/delivery.ts";
import { followStream } from "../../nats/follow-stream.ts";
import type { StreamReader } from "../../nats/stream-run.ts";
import { FAILURES_STREAM } from "../../wire/subjects.ts";

export interface FailureFeed {
  /** Everything that was stored when it began has been folded. */
  isCaughtUp(): boolean;
  /** The sequence of the last message that was taken; undefined: not caught up yet. */
  takenUpTo(): number | undefined;
  /** Resolves when it has. */
  readonly caughtUp: Promise<void>;
  stop(): void;
}

export interface FailureFeedOptions {
  connection: NatsConnection;
  /** Milliseconds of the past that still matter. */
  horizon: number;
  take: (message: StoredMessage) => void;
  /** Done before every run. */
  prepare?: (() => Promise<void>) | undefined;
  log: Log;
}

export function startFailureFeed(options: FailureFeedOptions): FailureFeed {
  const { connection, prepare, log } = options;
  const reader = new FailureReader(options, () => following.again());
  const following = followStream(
    {
      ...{ connection, stream: FAILURES_STREAM, prepare, log },
      startFrom: (stream) => reader.startFrom(stream),
    },
    reader,
  );
  return {
    isCaughtUp: () => reader.isCaughtUp,
    caughtUp: reader.whenCaughtUp,
    takenUpTo: () => (reader.isCaughtUp ? (reader.last?.sequence ?? 0) : undefined),
    stop: () => following.stop(),
  };
}

class FailureReader implements StreamReader {
  readonly #options: FailureFeedOptions;
  /** Begins another run. */
  readonly #readAgain: () => void;
  /** Names the stream that is read: when NATS has made it. */
  #created: string | undefined;
  /** The last message that was taken. */
  last: { sequence: number; storedAt: number } | undefined;
  #beganAt = 0;
  isCaughtUp = false;
  readonly #settle = withResolvers();
  readonly whenCaughtUp = this.#settle.promise;

  constructor(options: FailureFeedOptions, readAgain: () => void) {
    this.#options = options;
    this.#readAgain = readAgain;
  }

  startFrom({ created, last: end }: { created: string; last: number }) {
    const isSameStream = created === this.#created;
    const isLost = isSameStream && this.last !== undefined && end < this.last.sequence;
    if (isLost) this.#sayLost();
    if (isLost || !isSameStream) this.last = undefined;
    this.#created = created;
    return this.last
      ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: this.last.sequence }
      : {
          deliver_policy: DeliverPolicy.StartTime,
          opt_start_time: new Date(Date.now() - this.#options.horizon).toISOString(),
        };
  }

  begin(): void {
    this.#beganAt = performance.now();
  }

  message(message: StoredMessage): void {
    const { sequence, storedAt } = message;
    if (sequence === this.last?.sequence) {
      // The last one comes again, to tell whether the stream is still what it was.
      if (storedAt === this.last.storedAt) return;
      this.#sayLost();
      this.last = undefined;
      this.#readAgain();
      return;
    }
    this.last = { sequence, storedAt };
    this.#options.take(message);
  }

  caughtUp(): void {
    if (!this.isCaughtUp) {
      const ms = Math.round(performance.now() - this.#beganAt);
      const facts = { ms, messages: this.last?.sequence ?? 0 };
      this.#options.log.info(facts, "failures of the last findtime are counted");
    }
    this.isCaughtUp = true;
    this.#settle.resolve();
  }

  #sayLost(): void {
    const what = "NATS has lost the end of the failures' stream, counts again what it holds";
    this.#options.log.warn(what);
  }
}
