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
import { createComplaint, type Complaint } from "../../process/retry.ts";
import { startBanCollector } from "./ban-collector.ts";
import { startConditionWatcher, type Fleet } from "./condition-watcher.ts";
import type { NotifyEvent } from "./event.ts";
import { createNotifyBucket, ensureNotifyBucket, type NotifyBucket } from "./notify-bucket.ts";
import { openOutbox, OutboxTaken, type Outbox } from "./outbox.ts";
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
  const turns = new NotifierTurns(options);
  return {
    sinks: options.sinks,
    states: turns.states,
    resend: (sink, command) => turns.resend(sink, command),
    watchFleet: (read) => void (turns.readFleet = read),
    stop: () => turns.stop(),
  };
}

class NotifierTurns {
  readonly #options: NotifierOptions;
  /** When this coordinator began. */
  readonly #since: number;
  readonly #bucket: NotifyBucket;
  readonly states: SinkStates;
  readFleet: ReadFleet = () => Promise.resolve(undefined);
  /** The last command to send again, by sink. */
  readonly #commands = new Map<string, Pick<Resend, "at" | "since">>();
  /** Of the present turn, or of the last one. */
  #senders: readonly Sender[] = [];
  /** Ends the turn; undefined: there was none yet. */
  #turn: AbortController | undefined;
  readonly #complaint: Complaint;
  readonly #ended = new AbortController();
  /** Resolves when no turn is taken any more. */
  readonly #living: Promise<void>;

  constructor(options: NotifierOptions) {
    const { connection, sinks, isLeader, now, log } = options;
    this.#options = options;
    this.#since = now();
    this.#bucket = createNotifyBucket(connection);
    this.states = createSinkStates({ sinks, bucket: this.#bucket, isLeader });
    this.#complaint = createComplaint((reason) => {
      log.warn({ reason }, "notifications wait, keeps trying");
    });
    void onReconnect(connection, () => this.#turn?.abort(), this.#ended.signal);
    this.#living = sinks.length > 0 ? this.#live() : Promise.resolve();
  }

  resend(sink: string, command: Pick<Resend, "at" | "since">): void {
    this.#commands.set(sink, command);
    this.#wakeSenders();
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    this.#turn?.abort();
    this.states.stop();
    // A receiver may take its time: what is under way is sent again by the next turn.
    await Promise.race([this.#living, sleep(STOP_WITHIN_MS, undefined, { ref: false })]);
  }

  async #live(): Promise<void> {
    const { connection, isLeader } = this.#options;
    while (!this.#ended.signal.aborted && !connection.isClosed()) {
      if (!isLeader()) {
        await this.#pause(LOOK_EVERY_MS);
        continue;
      }
      try {
        await this.#takeTurn();
      } catch (error) {
        this.#noteFailed(error);
        await this.#pause(RETRY_MS);
      }
    }
  }

  /** Ends as soon as one of its parts does, and throws what ended it. */
  async #takeTurn(): Promise<void> {
    const turn = new AbortController();
    this.#turn = turn;
    const { connection, replicas, isLeader } = this.#options;
    await ensureNotifyBucket(connection, replicas);
    const outbox = await openOutbox(this.#options);
    this.#senders = await this.#openSenders(outbox);
    const common = this.#commonOf(outbox);
    const collector = await startBanCollector({ ...common, since: this.#since });
    const readFleet = () => this.readFleet();
    const watcher = startConditionWatcher({ ...this.#options, ...common, readFleet });
    const leading = setInterval(() => {
      if (!isLeader()) turn.abort();
    }, LOOK_EVERY_MS);
    const aborted = new Promise<void>((resolve) => {
      turn.signal.addEventListener("abort", () => resolve());
    });
    const working = this.#senders.map((sender) => sender.run(turn.signal));
    this.states.trouble(undefined);
    this.#complaint.over();
    try {
      await Promise.race([aborted, collector.over, watcher.over, ...working]);
    } finally {
      turn.abort();
      clearInterval(leading);
      await Promise.allSettled([collector.stop(), watcher.stop(), ...working]);
    }
  }

  #openSenders(outbox: Outbox): Promise<Sender[]> {
    const { sinks, onOutcome, now, log } = this.#options;
    const open = (sink: Sink) =>
      Sender.open({
        ...{ sink, outbox, bucket: this.#bucket, now, log },
        resend: () => this.#commands.get(sink.name),
        onState: (state) => this.states.note(sink.name, state),
        onOutcome: (outcome) => onOutcome?.(sink.name, outcome),
      });
    return Promise.all(sinks.map(open));
  }

  /** What the collector of bans and the watcher of conditions both need. */
  #commonOf(outbox: Outbox) {
    const { connection, sinks, log } = this.#options;
    const isWanted = (event: NotifyEvent) => sinks.some(({ filter }) => passes(filter, event));
    const onAppended = () => this.#wakeSenders();
    return { connection, outbox, bucket: this.#bucket, isWanted, onAppended, log };
  }

  #wakeSenders(): void {
    for (const sender of this.#senders) sender.wake();
  }

  #noteFailed(error: unknown): void {
    // Another coordinator sends: the lease will say so, too.
    if (error instanceof OutboxTaken) return;
    this.states.trouble(reasonOf(error));
    this.#complaint.failed(reasonOf(error));
  }

  #pause(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.#ended.signal }).catch(() => {});
  }
}
