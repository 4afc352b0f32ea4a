/**
 * Follows a stream of NATS from a point in its past into the present, for as long
 * as the process lives: through reconnects, a restarted server, a stream that was
 * deleted and made anew.
 *
 * Following is a series of runs. A run ends as soon as something may have been missed, and the
 * next one begins again with what `startFrom` says. A reader must bear to be told twice.
 *
 * A run has a consumer of its own in the memory of one server. In a cluster that may be another
 * server than the one we are connected to, and when it dies nothing says so but silence. So NATS
 * sends heartbeats, and a run ends when two are missing. (The client's own ordered consumer
 * insists on a heartbeat every 30 s: a minute without bans.)
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  AckPolicy,
  DeliverPolicy,
  jetstreamManager,
  type ConsumerConfig,
} from "@nats-io/jetstream";
import { createInbox, nuid, type NatsConnection } from "@nats-io/nats-core";
import type { Log } from "../process/log.ts";
import { onReconnect } from "./reconnects.ts";
import { subscribeToDeliveries, type Delivery, type StoredMessage } from "./delivery.ts";
import { createEndProof } from "./end-proof.ts";

/** What a stream was when a run began. */
export interface StreamState {
  /** Names the stream: another one when it was made anew. */
  created: string;
  /**
   * The last sequence that the stream had. It is less than what was delivered before where NATS
   * has lost the end of the stream in a power failure: what is stored since has the same numbers.
   */
  last: number;
  /** Of how many subjects the stream has messages; undefined: NATS does not say. */
  subjects: number | undefined;
}

export interface StreamReader {
  /** A run begins. */
  begin(state: StreamState): void;
  message(message: StoredMessage): void;
  /**
   * Everything that the stream had when the run began has been delivered, or is proved to be gone
   * from the stream (see end-proof.ts). Comes once a run.
   */
  caughtUp(): void;
}

export interface Following {
  /** Ends this run, and begins another one. */
  again(): void;
  stop(): void;
}

export interface FollowOptions {
  connection: NatsConnection;
  stream: string;
  /** Where a run begins. */
  startFrom: (state: { created: string; last: number }) => Partial<ConsumerConfig>;
  log: Log;
}

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

export function followStream(options: FollowOptions, reader: StreamReader): Following {
  const { connection, stream, log } = options;
  const ended = new AbortController();
  let run: Run | undefined;
  let said = "";
  let attempts = 0;

  async function follow(): Promise<void> {
    const consumer = await openConsumer(
      options,
      attempts < FIRST_ATTEMPTS ? WITHIN_MS.first : WITHIN_MS.later,
    );
    if (!consumer || ended.signal.aborted) return;
    [said, attempts] = ["", 0];
    run = startRun(connection, consumer, reader);
    const check = setInterval(() => void endRunOfAnotherStream(consumer), CHECK_EVERY_MS);
    try {
      await run.over;
    } finally {
      clearInterval(check);
      run = undefined;
    }
  }

  async function endRunOfAnotherStream({ state, look }: Consumer): Promise<void> {
    // NATS may be away for now: then heartbeats are missing, or the reconnect ends the run.
    const now = await look().catch(() => undefined);
    if (now && now.created !== state.created) run?.end();
  }

  async function live(): Promise<void> {
    while (!ended.signal.aborted && !connection.isClosed()) {
      try {
        await follow();
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

  ended.signal.addEventListener("abort", () => run?.end());
  void onReconnect(connection, () => run?.end(), ended.signal);
  void live();
  return { again: () => run?.end(), stop: () => ended.abort() };
}

interface Consumer {
  inbox: string;
  state: StreamState & { isEmpty: boolean };
  /** Where NATS begins to deliver. */
  begins: { deliveries: number; sequence: number };
  look: () => Promise<StreamState & { isEmpty: boolean }>;
}

/** undefined: the stream was made anew meanwhile. */
async function openConsumer(
  { connection, stream, startFrom }: FollowOptions,
  timeout: number,
): Promise<Consumer | undefined> {
  const manager = await jetstreamManager(connection, { checkAPI: false, timeout });
  const look = async () => {
    const { created, state } = await manager.streams.info(stream);
    const { last_seq: last, num_subjects: subjects, messages } = state;
    return { created, last, subjects, isEmpty: messages === 0 };
  };
  const before = await look();
  const inbox = createInbox(manager.getOptions().watcherPrefix);
  const { delivered } = await manager.consumers.add(stream, {
    ...startFrom(before),
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
  // Asked now: whatever the stream had at this moment, this consumer delivers.
  const state = await look();
  if (state.created !== before.created) return undefined;
  const begins = { deliveries: delivered.consumer_seq, sequence: delivered.stream_seq };
  return { inbox, state, begins, look };
}

interface Run {
  /** Resolves when something may have been missed; rejects with what the reader has thrown. */
  readonly over: Promise<void>;
  end(): void;
}

function startRun(connection: NatsConnection, consumer: Consumer, reader: StreamReader): Run {
  const { inbox, state, begins } = consumer;
  const proof = createEndProof(state.last);
  let phase: "reading" | "live" | "over" = "reading";
  let deliveries = 0;
  /** Heartbeats that are missing. */
  let silentFor = 0;
  let resolve: () => void = () => {};
  let reject: (reason: unknown) => void = () => {};
  const over = new Promise<void>((...settle) => ([resolve, reject] = settle));

  function end(): void {
    if (phase === "over") return;
    phase = "over";
    clearInterval(listening);
    subscription.unsubscribe();
    resolve();
  }

  function noteProgress(): void {
    if (phase !== "reading" || !proof.isComplete()) return;
    phase = "live";
    reader.caughtUp();
  }

  function take(delivery: Delivery): void {
    if (phase === "over") return;
    silentFor = 0;
    try {
      if (read(delivery) === "missed") end();
    } catch (error) {
      reject(error);
      end();
    }
  }

  /** "missed": something may not have been delivered, and another run is to deliver it. */
  function read(delivery: Delivery): "missed" | "in order" {
    switch (delivery.type) {
      case "message":
        deliveries += 1;
        if (delivery.deliveries !== deliveries) return "missed";
        reader.message(delivery.message);
        proof.delivered(delivery.message.sequence);
        noteProgress();
        return "in order";
      case "heartbeat":
        if (delivery.deliveries !== deliveries) return "missed";
        proof.reported(deliveries, delivery.sequence);
        noteProgress();
        // NATS stops at a message that was deleted since the run began, or lags behind the
        // stream's end. A new run has neither.
        return phase === "reading" && !delivery.isHeldBack ? "missed" : "in order";
      case "ended":
        return "missed";
    }
  }

  const listening = setInterval(() => {
    silentFor += 1;
    if (silentFor > 2) end();
  }, HEARTBEAT_MS);
  reader.begin(state);
  if (state.isEmpty) proof.reported(0, state.last);
  proof.reported(begins.deliveries, begins.sequence);
  noteProgress();
  const subscription = subscribeToDeliveries(connection, inbox, take);
  void subscription.closed.then(end);
  return { over, end };
}

export const LAST_PER_SUBJECT = () => ({ deliver_policy: DeliverPolicy.LastPerSubject });
