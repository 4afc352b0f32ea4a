/**
 * Notifications: mail, webhooks and programs are told what happens in the fleet.
 *
 *   bans bucket -> ban collector --\
 *   warnings -> condition watcher ---> outbox (NATS) -> one sender per sink -> mail, webhook, program
 *
 * The coordinator that decides does all of it, in turns: a turn begins when it has the lease, and
 * ends when the lease is lost, when another coordinator has written, or when NATS is away. What a
 * turn has reached stands in NATS, so the next turn, here or elsewhere, goes on from there. Bans
 * never wait for any of it, and it needs no PostgreSQL.
 */
import type { NatsConnection } from "@nats-io/nats-core";
import { setTimeout as sleep } from "node:timers/promises";
import { onReconnect } from "../../nats/reconnects.ts";
import type { Log } from "../../process/log.ts";
import { reasonOf } from "../../process/reason.ts";
import { createComplaint } from "../../process/retry.ts";
import { startBanCollector } from "./ban-collector.ts";
import { startConditionWatcher, type Fleet } from "./condition-watcher.ts";
import { createNotifyBucket, ensureNotifyBucket } from "./notify-bucket.ts";
import { openOutbox, OutboxTaken } from "./outbox.ts";
import type { Resend } from "../../wire/settings.ts";
import { Sender } from "./sender.ts";
import { passes, type Outcome, type Sink } from "./sink.ts";
import { createSinkStates, type SinkStates } from "./sink-states.ts";

export interface Notifier {
  readonly sinks: readonly Sink[];
  readonly states: SinkStates;
  /** An operator has commanded `fleetban notify resend`. */
  resend(sink: string, command: Pick<Resend, "at" | "since">): void;
  /** `readFleet` resolves to undefined while that is not known yet: agents report now and then. */
  watchFleet(readFleet: ReadFleet): void;
  stop(): Promise<void>;
}

type ReadFleet = () => Promise<Fleet | undefined>;

export interface NotifierOptions {
  connection: NatsConnection;
  sinks: readonly Sink[];
  replicas: number;
  /** Does this coordinator decide, at this moment? */
  isLeader: () => boolean;
  onOutcome?: (sink: string, outcome: Outcome) => void;
  now: () => number;
  log: Log;
}

/** A standby looks this often whether it is to send. */
const LOOK_EVERY_MS = 250;
const RETRY_MS = 2_000;
const STOP_WITHIN_MS = 1_000;

export function startNotifier(options: NotifierOptions): Notifier {
  const { connection, sinks, isLeader, log } = options;
  const since = options.now();
  const ended = new AbortController();
  const commands = new Map<string, Pick<Resend, "at" | "since">>();
  const bucket = createNotifyBucket(connection);
  const states = createSinkStates({ sinks, bucket, isLeader });
  const complaint = createComplaint((reason) => {
    log.warn({ reason }, "notifications wait, keeps trying");
  });
  let readFleet: ReadFleet = () => Promise.resolve(undefined);
  let senders: readonly Sender[] = [];
  let turn: AbortController | undefined;

  /** Ends as soon as one of its parts does, and throws what ended it. */
  async function takeTurn(): Promise<void> {
    const { signal } = (turn = new AbortController());
    await ensureNotifyBucket(connection, options.replicas);
    const outbox = await openOutbox(options);
    const open = (sink: Sink) =>
      Sender.open({
        ...{ sink, outbox, bucket, now: options.now, log },
        resend: () => commands.get(sink.name),
        onState: (state) => states.note(sink.name, state),
        onOutcome: (outcome) => options.onOutcome?.(sink.name, outcome),
      });
    senders = await Promise.all(sinks.map(open));
    const onAppended = () => senders.forEach((sender) => sender.wake());
    const isWanted = (event: Parameters<typeof passes>[1]) =>
      sinks.some(({ filter }) => passes(filter, event));
    const common = { connection, outbox, bucket, isWanted, onAppended, log };
    const collector = await startBanCollector({ ...common, since });
    const watcher = startConditionWatcher({ ...options, ...common, readFleet: () => readFleet() });
    const leading = setInterval(() => {
      if (!isLeader()) turn?.abort();
    }, LOOK_EVERY_MS);
    const aborted = new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => resolve());
    });
    const working = senders.map((sender) => sender.run(signal));
    states.trouble(undefined);
    complaint.over();
    try {
      await Promise.race([aborted, collector.over, watcher.over, ...working]);
    } finally {
      turn.abort();
      clearInterval(leading);
      await Promise.allSettled([collector.stop(), watcher.stop(), ...working]);
    }
  }

  async function live(): Promise<void> {
    while (!ended.signal.aborted && !connection.isClosed()) {
      if (!isLeader()) {
        await pause(LOOK_EVERY_MS);
        continue;
      }
      try {
        await takeTurn();
      } catch (error) {
        // Another coordinator sends: the lease will say so, too.
        if (!(error instanceof OutboxTaken)) {
          states.trouble(reasonOf(error));
          complaint.failed(reasonOf(error));
        }
        await pause(RETRY_MS);
      }
    }
  }

  const pause = (ms: number) => sleep(ms, undefined, { signal: ended.signal }).catch(() => {});
  void onReconnect(connection, () => turn?.abort(), ended.signal);
  const living = sinks.length > 0 ? live() : Promise.resolve();
  return {
    sinks,
    states,
    resend(sink, command) {
      commands.set(sink, command);
      senders.forEach((sender) => sender.wake());
    },
    watchFleet: (read) => void (readFleet = read),
    async stop() {
      ended.abort();
      turn?.abort();
      states.stop();
      // A receiver may take its time: what is under way is sent again by the next turn.
      await Promise.race([living, sleep(STOP_WITHIN_MS, undefined, { ref: false })]);
    },
  };
}
