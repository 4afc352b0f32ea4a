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
import type { StoredMessage } from "../../nats/delivery.ts";
import { followStream } from "../../nats/follow-stream.ts";
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

export function startFailureFeed({
  connection,
  horizon,
  take,
  prepare,
  log,
}: FailureFeedOptions): FailureFeed {
  let stream: string | undefined;
  /** The last message that was taken. */
  let last: { sequence: number; storedAt: number } | undefined;
  let isCaughtUp = false;
  let sayCaughtUp = () => {};
  const caughtUp = new Promise<void>((resolve) => (sayCaughtUp = resolve));
  let beganAt = 0;
  const following = followStream(
    { connection, stream: FAILURES_STREAM, startFrom, prepare, log },
    {
      begin() {
        beganAt = performance.now();
      },
      message(message) {
        const { sequence, storedAt } = message;
        if (sequence === last?.sequence) {
          // The last one comes again, to tell whether the stream is still what it was.
          if (storedAt === last.storedAt) return;
          sayLost();
          last = undefined;
          following.again();
          return;
        }
        last = { sequence, storedAt };
        take(message);
      },
      caughtUp() {
        if (!isCaughtUp) {
          const ms = Math.round(performance.now() - beganAt);
          log.info(
            { ms, messages: last?.sequence ?? 0 },
            "failures of the last findtime are counted",
          );
        }
        isCaughtUp = true;
        sayCaughtUp();
      },
    },
  );

  function startFrom({ created, last: end }: { created: string; last: number }) {
    const isLost = created === stream && last !== undefined && end < last.sequence;
    if (isLost) sayLost();
    if (isLost || created !== stream) last = undefined;
    stream = created;
    return last
      ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: last.sequence }
      : {
          deliver_policy: DeliverPolicy.StartTime,
          opt_start_time: new Date(Date.now() - horizon).toISOString(),
        };
  }

  function sayLost(): void {
    log.warn("NATS has lost the end of the failures' stream, counts again what it holds");
  }

  return {
    isCaughtUp: () => isCaughtUp,
    caughtUp,
    takenUpTo: () => (isCaughtUp ? (last?.sequence ?? 0) : undefined),
    stop: () => following.stop(),
  };
}
