/**
 * Follows a stream of NATS from a point in its past into the present, for as long
 * as the process lives: through reconnects, a restarted server, a stream that was
 * deleted and made anew.
 *
 * After every reconnect it begins again with what `startFrom` says, because
 * nothing tells for certain what was missed. A follower must bear to be told twice.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  DeliverPolicy,
  jetstream,
  jetstreamManager,
  type JsMsg,
  type ConsumerConfig,
} from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import type { Log } from "./log.ts";

export interface Follower {
  /** A run begins; `created` names the stream, which changes when it is made anew. */
  begin(created: string): void;
  message(message: JsMsg): void;
  /** What was stored when the run began has been delivered; comes once a run. */
  caughtUp(): void;
}

export interface Following {
  stop(): void;
}

/** Where a run begins, given the stream's creation time as NATS spells it. */
export type StartFrom = (created: string) => Partial<ConsumerConfig>;

export const LAST_PER_SUBJECT: StartFrom = () => ({
  deliver_policy: DeliverPolicy.LastPerSubject,
});

const RETRY_MS = 250;
/** A stream that was deleted without a restart of the server is noticed this late. */
const CHECK_EVERY_MS = 5_000;
const NANOSECONDS = 1_000_000;

export function followStream(
  connection: NatsConnection,
  stream: string,
  startFrom: StartFrom,
  follower: Follower,
  log: Log,
): Following {
  const ended = new AbortController();
  let endRun: () => void = () => {};
  ended.signal.addEventListener("abort", () => endRun());

  async function watchConnection(): Promise<void> {
    for await (const { type } of connection.status()) {
      if (ended.signal.aborted) return;
      if (type === "reconnect") endRun();
    }
  }

  /** Follows until the connection was lost or the stream is another; throws when NATS does. */
  async function follow(): Promise<void> {
    const manager = await jetstreamManager(connection);
    const { created } = await manager.streams.info(stream);
    const options: Partial<ConsumerConfig> = {
      ...startFrom(created),
      flow_control: true,
      idle_heartbeat: 5_000 * NANOSECONDS,
    };
    const consumer = await jetstream(connection).consumers.getPushConsumer(stream, options);
    const { num_pending: pending } = await consumer.info(true);
    let delivered = 0;
    let over = false;
    follower.begin(created);
    if (pending === 0) follower.caughtUp();
    const messages = await consumer.consume({
      callback: (message) => {
        if (over) return;
        follower.message(message);
        delivered += 1;
        if (delivered === pending) follower.caughtUp();
      },
    });
    const runEnded = new Promise<void>((resolve) => (endRun = resolve));
    const check = setInterval(() => {
      manager.streams.info(stream).then(
        (info) => {
          if (info.created !== created) endRun();
        },
        () => {}, // away for now: the reconnect ends the run
      );
    }, CHECK_EVERY_MS);
    try {
      await Promise.race([runEnded, messages.closed()]);
    } finally {
      clearInterval(check);
      over = true;
      messages.stop();
    }
  }

  async function live(): Promise<void> {
    let said = "";
    while (!ended.signal.aborted && !connection.isClosed()) {
      try {
        await follow();
        said = "";
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        if (reason !== said)
          log.warn({ stream, reason }, "stream cannot be followed, keeps trying");
        said = reason;
        await sleep(RETRY_MS, undefined, { signal: ended.signal }).catch(() => {});
      }
    }
  }

  void watchConnection();
  void live();
  return { stop: () => ended.abort() };
}
