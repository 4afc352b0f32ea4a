/**
 * Follows a stream of NATS from a point in its past into the present, for as long
 * as the process lives: through reconnects, a restarted server, a stream that was
 * deleted and made anew.
 *
 * After every reconnect it begins again with what `startFrom` says, because
 * nothing tells for certain what was missed. A follower must bear to be told twice.
 *
 * A run has a consumer of its own in the memory of one server. In a cluster that may be another
 * server than the one we are connected to, and when it dies nothing tells us but silence: so it
 * sends heartbeats, and a run ends when two are missing. (The client's own ordered consumer
 * insists on a heartbeat every 30 s: a minute without bans.)
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  AckPolicy,
  DeliverPolicy,
  jetstream,
  jetstreamManager,
  type JsMsg,
  type ConsumerConfig,
} from "@nats-io/jetstream";
import { createInbox, nuid, type NatsConnection } from "@nats-io/nats-core";
import type { Log } from "./log.ts";
import { onReconnect } from "./reconnects.ts";

export interface Follower {
  /**
   * A run begins; `created` names the stream, which changes when it is made anew. `last` is its
   * last sequence, less than what was delivered before where NATS has lost the end of it in a
   * power failure: what is stored since has the same numbers.
   */
  begin(created: string, last: number): void;
  message(message: JsMsg): void;
  /** What was stored when the run began has been delivered; comes once a run. */
  caughtUp(): void;
}

export interface Following {
  /** Ends this run, and begins another one. */
  again(): void;
  stop(): void;
}

/** Where a run begins, given what `begin` is given. */
export type StartFrom = (created: string, last: number) => Partial<ConsumerConfig>;

export const LAST_PER_SUBJECT: StartFrom = () => ({
  deliver_policy: DeliverPolicy.LastPerSubject,
});

const RETRY_MS = 250;
/**
 * How long a request may take. A cluster that has just lost a server still gives that server
 * work, our consumer for instance: who asks again soon gets another one. After many
 * attempts it is rather NATS that is slow.
 */
const WITHIN_MS = { first: 1_000, later: 8_000 };
const FIRST_ATTEMPTS = 10;
/** A stream that was deleted without a restart of the server is noticed this late. */
const CHECK_EVERY_MS = 5_000;
const HEARTBEAT_MS = 2_000;
/** NATS forgets a consumer that nobody listens to after this long. */
const FORGET_AFTER_MS = 30_000;
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

  /** Follows until something may have been missed or the stream is another; throws when NATS does. */
  async function follow(timeout: number, onBegun: () => void): Promise<void> {
    const manager = await jetstreamManager(connection, { checkAPI: false, timeout });
    const { created, state } = await manager.streams.info(stream);
    const inbox = createInbox(manager.getOptions().watcherPrefix);
    const { num_pending: pending } = await manager.consumers.add(stream, {
      ...startFrom(created, state.last_seq),
      name: `follow_${nuid.next()}`,
      deliver_subject: inbox,
      filter_subject: ">",
      ack_policy: AckPolicy.None,
      max_deliver: 1,
      mem_storage: true,
      num_replicas: 1,
      flow_control: true,
      idle_heartbeat: HEARTBEAT_MS * NANOSECONDS,
      inactive_threshold: FORGET_AFTER_MS * NANOSECONDS,
    });
    const consumer = await jetstream(connection).consumers.getBoundPushConsumer({
      deliver_subject: inbox,
      idle_heartbeat: HEARTBEAT_MS * NANOSECONDS,
    });
    let delivered = 0;
    let over = false;
    const runEnded = new Promise<void>((resolve) => {
      endRun = () => {
        over = true;
        resolve();
      };
    });
    let isCaughtUp = false;
    const caughtUp = () => {
      if (isCaughtUp || over) return;
      isCaughtUp = true;
      follower.caughtUp();
    };
    onBegun();
    follower.begin(created, state.last_seq);
    if (pending === 0) caughtUp();
    const messages = await consumer.consume({
      callback: (message) => {
        if (over) return;
        if (message.info.deliverySequence !== delivered + 1) {
          endRun();
          return;
        }
        delivered += 1;
        follower.message(message);
        // Some of those that were pending may expire before they are delivered.
        if (delivered >= pending || message.info.pending === 0) caughtUp();
      },
    });
    void (async () => {
      for await (const status of messages.status()) {
        if (status.type === "heartbeats_missed") endRun();
        if (status.type !== "heartbeat") continue;
        if (status.lastConsumerSequence > delivered) endRun();
        else caughtUp(); // there is nothing more to deliver
      }
    })();
    const check = setInterval(() => {
      manager.streams.info(stream).then(
        (info) => {
          if (info.created !== created) endRun();
        },
        () => {}, // away for now: heartbeats are missing, or the reconnect ends the run
      );
    }, CHECK_EVERY_MS);
    try {
      await Promise.race([runEnded, messages.closed()]);
    } finally {
      clearInterval(check);
      over = true; // also when the connection has ended it
      messages.stop();
    }
  }

  async function live(): Promise<void> {
    let said = "";
    let attempts = 0;
    const onBegun = () => {
      said = "";
      attempts = 0;
    };
    while (!ended.signal.aborted && !connection.isClosed()) {
      try {
        await follow(attempts < FIRST_ATTEMPTS ? WITHIN_MS.first : WITHIN_MS.later, onBegun);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        if (reason !== said)
          log.warn({ stream, reason }, "stream cannot be followed, keeps trying");
        said = reason;
        attempts += 1;
        await sleep(RETRY_MS, undefined, { signal: ended.signal }).catch(() => {});
      }
    }
  }

  void onReconnect(connection, () => endRun(), ended.signal);
  void live();
  return {
    again: () => endRun(),
    stop: () => ended.abort(),
  };
}
