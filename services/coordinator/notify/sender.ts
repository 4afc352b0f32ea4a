/**
 * Sends one sink its events, in order. Only the coordinator that decides runs senders.
 *
 * Invariants:
 * - What is sent is fixed in NATS before it is sent, and its end is noted after the sink has taken
 *   it. A coordinator that is killed in between leaves it to the next one, which sends the same
 *   events under the same id.
 * - Every write names the state that it was made from. If another coordinator has written, this
 *   sender ends (`OutboxTaken`).
 */
import type { Log } from "../../process/log.ts";
import type { Resend } from "../../wire/settings.ts";
import { MOST_REFUSALS, nextFailing } from "./back-off.ts";
import { Digest, type Delivery } from "./digest.ts";
import type { NotifyBucket, SinkState } from "./notify-bucket.ts";
import { PAGE, type Outbox, type StoredEvent } from "./outbox.ts";
import { passes, type Outcome, type Sink } from "./sink.ts";

export interface SenderOptions {
  sink: Sink;
  outbox: Outbox;
  bucket: NotifyBucket;
  /** The last one that was commanded for this sink. */
  resend: () => Pick<Resend, "at" | "since"> | undefined;
  onState: (state: SinkState) => void;
  onOutcome: (outcome: Outcome) => void;
  now: () => number;
  log: Log;
}

/** Events that are to be sent as one message. */
interface Gathered {
  digest: Digest;
  /** Sequences of the first and the last event. */
  from: number;
  to: number;
  /** When NATS stored these, by NATS's clock. */
  firstAt: number;
  lastAt: number;
}

/** Looked at again at least this often: an operator may have commanded something. */
const LOOK_EVERY_MS = 2_000;
/** After this many events of other sinks the place behind them is written. */
const SKIPPED = 256;

export class Sender {
  readonly #options: SenderOptions;
  #state: SinkState;
  #revision: number;
  /** Read and not sent yet: the next look goes on behind it. */
  #gathered: Gathered | undefined;
  /** Events up to here are in `#gathered`, or are none of this sink's. */
  #read: number;
  /** Events behind `#read` that NATS has delivered already. */
  #ahead: StoredEvent[] = [];
  #wake: () => void = () => {};
  /** Something has happened since the last look. */
  #isAwake = true;

  private constructor(options: SenderOptions, state: SinkState, revision: number) {
    this.#options = options;
    this.#state = state;
    this.#revision = revision;
    this.#read = state.sequence;
  }

  /** A new sink begins behind what the outbox has. */
  static async open(options: SenderOptions): Promise<Sender> {
    const { sink, outbox, bucket } = options;
    const { value, revision } = await bucket.readSink(sink.name);
    const state = adopt(value, sink.target, outbox);
    const sender = new Sender(options, state, revision);
    if (state !== value) await sender.#write(state);
    else options.onState(state);
    return sender;
  }

  /** There are new events, or an operator has commanded something. */
  wake(): void {
    this.#isAwake = true;
    this.#wake();
  }

  /** Throws when another coordinator has taken over, or NATS is away. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#wake());
    while (!signal.aborted) {
      const waitMs = await this.#look(signal);
      await this.#pause(Math.min(waitMs, LOOK_EVERY_MS), signal);
    }
  }

  /** Does what is to be done now; returns how long there is nothing to do. */
  async #look(signal: AbortSignal): Promise<number> {
    await this.#followCommand();
    const { off, failing, sealed } = this.#state;
    const { now } = this.#options;
    if (off) return LOOK_EVERY_MS;
    if (failing && failing.retryAt > now()) return failing.retryAt - now();
    const ready = sealed ? await this.#readAgain(sealed) : await this.#gather(signal);
    if (typeof ready === "number") return ready;
    if (signal.aborted) return 0;
    await this.#send(ready);
    return 0;
  }

  async #send({ digest, from, to }: Gathered): Promise<void> {
    const { sink, now, log, onOutcome } = this.#options;
    // An event that is sent alone has an id of its own.
    if (!this.#state.sealed && !this.#isSingle()) {
      await this.#write({ ...this.#state, sealed: { from, to, at: now() } });
    }
    const delivery = digest.delivery();
    const outcome = await sink.send(delivery);
    onOutcome(outcome);
    await this.#note(outcome, delivery, to);
    if (outcome.type === "sent") return;
    const { reason } = outcome;
    const { tries = 0 } = this.#state.failing ?? {};
    if (tries <= 1) log.warn({ sink: sink.name, reason }, "notification is not taken, will retry");
  }

  async #note(outcome: Outcome, { totals }: Delivery, to: number): Promise<void> {
    const { sink, now, log } = this.#options;
    const state = this.#state;
    const done = { ...without(state, ...PENDING), sequence: to };
    switch (outcome.type) {
      case "sent":
        await this.#write({ ...done, sent: state.sent + totals.events, sentAt: now() });
        break;
      case "gone": {
        const off = { at: now(), reason: outcome.reason.slice(0, 500) };
        log.error({ sink: sink.name, reason: outcome.reason }, "sink is switched off");
        await this.#write({ ...state, off });
        return;
      }
      case "refused":
      case "retry": {
        const failing = nextFailing(state.failing, outcome, now(), Math.random());
        if (outcome.type === "retry" || failing.tries < MOST_REFUSALS) {
          await this.#write({ ...state, failing });
          return;
        }
        log.error({ sink: sink.name, reason: outcome.reason }, "notification is given up");
        await this.#write({ ...done, lost: state.lost + totals.events });
      }
    }
    this.#forget(to);
  }

  /** The same events as before the last try, perhaps of another coordinator. */
  async #readAgain({ from, to }: { from: number; to: number }): Promise<Gathered | number> {
    const { outbox, log, sink } = this.#options;
    const gathered: Gathered = { ...{ digest: new Digest(), from, to }, firstAt: 0, lastAt: 0 };
    for (let at = Math.max(from, await outbox.first()); at <= to; at += PAGE) {
      for (const { event } of await outbox.read(at, to)) {
        if (event && passes(sink.filter, event)) gathered.digest.add(event);
      }
    }
    if (gathered.digest.size > 0) return gathered;
    const lost = this.#state.lost + to - from + 1;
    log.error({ sink: sink.name, lost: to - from + 1 }, "events are too old to be sent");
    await this.#write({ ...without(this.#state, ...PENDING), sequence: to, lost });
    this.#forget(to);
    return 0;
  }

  /** What is due; otherwise for how long nothing is. */
  async #gather(signal: AbortSignal): Promise<Gathered | number> {
    const { sink, now } = this.#options;
    const { quiet, longest } = sink.latency;
    await this.#skipLost();
    while (!signal.aborted && !(this.#isSingle() && this.#gathered)) {
      if (this.#ahead.length === 0) await this.#readAhead();
      const next = this.#ahead.shift();
      if (!next) break;
      this.#take(next);
    }
    const gathered = this.#gathered;
    if (!gathered) {
      if (this.#read - this.#state.sequence >= SKIPPED) {
        await this.#write({ ...this.#state, sequence: this.#read });
      }
      return LOOK_EVERY_MS;
    }
    const dueAt = Math.min(gathered.lastAt + quiet * 1000, gathered.firstAt + longest * 1000);
    return dueAt <= now() ? gathered : dueAt - now();
  }

  /** Reads the next events; those that NATS has no more are passed over. */
  async #readAhead(): Promise<void> {
    const { outbox } = this.#options;
    while (this.#ahead.length === 0 && this.#read < outbox.last()) {
      const end = Math.min(outbox.last(), this.#read + PAGE);
      this.#ahead = await outbox.read(this.#read + 1, end);
      if (this.#ahead.length === 0) this.#read = end;
    }
  }

  #take({ sequence, storedAt, event }: StoredEvent): void {
    this.#read = sequence;
    if (!event || !passes(this.#options.sink.filter, event)) return;
    this.#gathered ??= {
      ...{ digest: new Digest(), from: sequence, to: sequence },
      ...{ firstAt: storedAt, lastAt: storedAt },
    };
    this.#gathered.digest.add(event);
    this.#gathered.to = sequence;
    this.#gathered.lastAt = storedAt;
  }

  /** NATS keeps events for three days. */
  async #skipLost(): Promise<void> {
    const { outbox, log, sink } = this.#options;
    if (this.#gathered || this.#ahead.length > 0 || this.#read >= outbox.last()) return;
    const lost = Math.min(await outbox.first(), outbox.last() + 1) - 1 - this.#read;
    if (lost <= 0) return;
    log.error({ sink: sink.name, lost }, "events are too old to be sent");
    this.#read += lost;
    const state = this.#state;
    await this.#write({ ...state, sequence: this.#read, lost: state.lost + lost });
  }

  async #followCommand(): Promise<void> {
    const { resend, outbox } = this.#options;
    const command = resend();
    if (!command || command.at <= (this.#state.resentAt ?? 0)) return;
    const resentAt = command.at;
    if (command.since === undefined) {
      await this.#write({ ...without(this.#state, "off", "failing"), resentAt });
      return;
    }
    const sequence = Math.min(await outbox.before(command.since), this.#state.sequence);
    const state = without(this.#state, "off", ...PENDING);
    await this.#write({ ...state, resentAt, sequence });
    this.#forget(sequence);
  }

  /** Every event is a message of its own. */
  #isSingle(): boolean {
    return this.#options.sink.latency.longest === 0;
  }

  /** What is sent next begins behind `sequence`. */
  #forget(sequence: number): void {
    this.#gathered = undefined;
    if (this.#read !== sequence) this.#ahead = [];
    this.#read = sequence;
  }

  async #write(state: SinkState): Promise<void> {
    const { bucket, sink, onState } = this.#options;
    this.#revision = await bucket.writeSink(sink.name, state, this.#revision);
    this.#state = state;
    onState(state);
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    if (ms <= 0 || this.#isAwake || signal.aborted) {
      this.#isAwake = false;
      return;
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#isAwake = false;
  }
}

/** The fields of a sink's state that describe a message which is not taken yet. */
const PENDING = ["sealed", "failing"] as const;

function without(
  state: SinkState,
  ...fields: readonly ("sealed" | "failing" | "off")[]
): SinkState {
  const rest = { ...state };
  if (fields.includes("sealed")) delete rest.sealed;
  if (fields.includes("failing")) delete rest.failing;
  if (fields.includes("off")) delete rest.off;
  return rest;
}

/** The state of a sink as it holds for this outbox and this receiver. */
function adopt(value: SinkState | undefined, target: string, outbox: Outbox): SinkState {
  const { created } = outbox;
  const sequence = outbox.last();
  if (!value) return { v: 1, created, sequence, target, sent: 0, lost: 0 };
  // NATS has lost the outbox, or its end: whatever comes is new.
  if (value.created !== created)
    return { ...without(value, ...PENDING), created, sequence: 0, target };
  if (value.sequence > sequence) return { ...without(value, ...PENDING), sequence, target };
  if (value.target === target) return value;
  return { ...without(value, "off", "failing"), target };
}
