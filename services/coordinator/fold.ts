/** Brings the stream of failures to the decider, each message once as far as can be told. */
import { DeliverPolicy, type JsMsg } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { followStream } from "../daemon/follow.ts";
import type { Log } from "../daemon/log.ts";
import { FAILURES_STREAM } from "../wire/subjects.ts";

export interface Fold {
  /** Everything that was stored when it began has been folded. */
  isCaughtUp(): boolean;
  stop(): void;
}

export interface FoldOptions {
  connection: NatsConnection;
  /** Milliseconds of the past that still matter. */
  horizon: number;
  take: (message: JsMsg) => void;
  log: Log;
}

export function startFold({ connection, horizon, take, log }: FoldOptions): Fold {
  let stream: string | undefined;
  let last = 0;
  let caughtUp = false;
  let beganAt = 0;
  const following = followStream(
    connection,
    FAILURES_STREAM,
    (created) =>
      created === stream
        ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: last + 1 }
        : {
            deliver_policy: DeliverPolicy.StartTime,
            opt_start_time: new Date(Date.now() - horizon).toISOString(),
          },
    {
      begin(created) {
        if (created !== stream) last = 0;
        stream = created;
        beganAt = performance.now();
      },
      message(message) {
        last = message.seq;
        take(message);
      },
      caughtUp() {
        if (!caughtUp) {
          const ms = Math.round(performance.now() - beganAt);
          log.info({ ms, messages: last }, "failures of the last findtime are counted");
        }
        caughtUp = true;
      },
    },
    log,
  );
  return { isCaughtUp: () => caughtUp, stop: () => following.stop() };
}
