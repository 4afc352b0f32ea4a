/**
 * Follows a stream of NATS from a point in its past into the present, for as long
 * as the process lives: through reconnects, a restarted server, a stream that was
 * deleted and made anew.
 *
 * Following is a series of runs. A run ends as soon as something may have been missed, and the
 * next run begins where `startFrom` says. A reader must accept that a message is delivered twice.
 */
import { DeliverPolicy } from "@nats-io/jetstream";
import type { Log } from "../process/log.ts";
import { reasonOf } from "../process/reason.ts";
import { createComplaint, retry, type Pauses, type Tries } from "../process/retry.ts";
import { onReconnect } from "./reconnects.ts";
import { openConsumer, type ConsumerOptions, type StreamConsumer } from "./stream-consumer.ts";
import { StreamRun, type StreamReader } from "./stream-run.ts";
import { createStreamTrouble } from "./unread-streams.ts";

export interface Following {
  /** Ends this run, and begins another one. */
  again(): void;
  stop(): void;
}

/** A run begins where `startFrom` says. */
export interface FollowOptions extends ConsumerOptions {
  log: Log;
  /** Done before every run. */
  prepare?: (() => Promise<void>) | undefined;
}

const PAUSES: Pauses = { firstMs: 250, longestMs: 250 };
/**
 * How long a request may take. A cluster that has lost a server still gives that server work for
 * minutes, our consumer for instance: a request that is soon repeated may get another server. But
 * NATS may be slow as well. So after some attempts every fourth one waits long.
 */
const WITHIN_MS = { short: 1_000, long: 8_000 };
const FIRST_SHORT_ATTEMPTS = 8;
const LONG_ATTEMPT_EVERY = 4;
/** A stream that was deleted without a restart of the server is noticed this late. */
const CHECK_EVERY_MS = 5_000;

/** `failures`: attempts in a row that have failed. */
export function requestWithinMs(failures: number): number {
  const isLong = failures >= FIRST_SHORT_ATTEMPTS && failures % LONG_ATTEMPT_EVERY === 0;
  return isLong ? WITHIN_MS.long : WITHIN_MS.short;
}

export function followStream(options: FollowOptions, reader: StreamReader): Following {
  const { connection, stream, log } = options;
  const ended = new AbortController();
  const complaint = createComplaint((reason) => {
    log.warn({ stream, reason }, "stream cannot be followed, keeps trying");
  });
  const trouble = createStreamTrouble(connection, stream);
  /** undefined: no run is under way, and the next one begins soon. */
  let run: StreamRun | undefined;

  async function doRun({ failures, progressed }: Tries): Promise<void> {
    if (connection.isClosed()) return;
    await options.prepare?.();
    const consumer = await openConsumer(options, requestWithinMs(failures));
    if (!consumer || ended.signal.aborted) return;
    progressed();
    complaint.over();
    trouble.over();
    run = new StreamRun(connection, consumer, reader);
    const check = setInterval(() => void endRunOfAnotherStream(consumer), CHECK_EVERY_MS);
    try {
      await run.over;
    } finally {
      clearInterval(check);
      run = undefined;
    }
  }

  async function endRunOfAnotherStream({ state, look }: StreamConsumer): Promise<void> {
    // NATS may be away for now: then heartbeats are missing, or the reconnect ends the run.
    const now = await look().catch(() => undefined);
    if (now && now.created !== state.created) run?.end();
  }

  async function live(): Promise<void> {
    while (!ended.signal.aborted && !connection.isClosed()) {
      await retry(doRun, {
        pauses: PAUSES,
        signal: ended.signal,
        onFailed(error) {
          const reason = withoutConsumer(reasonOf(error));
          complaint.failed(reason);
          trouble.failed(reason);
        },
      });
    }
  }

  ended.signal.addEventListener("abort", () => {
    run?.end();
    trouble.over();
  });
  const beginAgain = () => {
    trouble.reconnected();
    run?.end();
  };
  void onReconnect(connection, beginAgain, ended.signal);
  void live();
  return {
    again: () => run?.end(),
    stop() {
      ended.abort();
    },
  };
}

/** NATS's words name the consumer, and each attempt makes one of another name. */
export function withoutConsumer(reason: string): string {
  return reason.replace(/\.(?:follow|record)_\w+/, "");
}

export const ALL = () => ({ deliver_policy: DeliverPolicy.All });
