/**
 * Bans that are decided and not yet to be seen in the bucket, and the one place that writes them.
 *
 * A few are written at once, because thousands of writes under way would make each of them, and the
 * lease's renewal, time out. Hosts take turns: one that reports attempts of thousands of addresses,
 * because it is attacked like that or because it lies, delays each ban that another host has
 * brought by one write.
 */
import { reasonOf } from "../../process/reason.ts";
import type { Log } from "../../process/log.ts";
import type { Address } from "../../wire/address.ts";
import type { Ban } from "../../wire/ban.ts";
import type { Jail } from "../../wire/settings.ts";
import { banKey } from "../../wire/subjects.ts";
import { banForOffence, isOffenceOver } from "../../policy/ban-lifecycle.ts";
import type { Change, NewChange } from "../../policy/ban-memory.ts";
import { longestBanSeconds } from "../../policy/ban-time.ts";
import type { Offence } from "../../policy/sliding-window.ts";
import type { Step, Written } from "../buckets/ban-store.ts";
import { HostTurns } from "./host-turns.ts";

export interface DueBan {
  jail: Jail;
  offence: Offence;
  /** The host whose failure completed the offence. */
  host: string;
  /** When NATS stored that failure, epoch milliseconds. */
  storedAt: number;
  /** When the host sent it, by the host's clock; undefined: bans have completed the offence. */
  sentAt?: number;
}

export interface BanQueueOptions {
  bans: { change(jail: string, address: Address, step: Step): Promise<Written | undefined> };
  isLeader: () => boolean;
  now: () => number;
  newChange: NewChange;
  log: Log;
  /**
   * What is to be written in place of a ban whose last failure `host` has reported; undefined:
   * nothing. `present` is what stands there.
   */
  judge: (ban: Ban, present: Ban | undefined, host: string) => Ban | undefined;
  /** A ban was written; `storedAt` is that of the failure that brought it. */
  onBanned: ((written: Written, storedAt: number) => void) | undefined;
  /** An offence was over before its ban could be written. */
  onMissed: (due: DueBan) => void;
}

export interface BanQueue {
  add(due: DueBan): void;
  /** The bucket has a ban on `address` that covers what happened up to `until`. */
  covered(jail: string, address: Address, until: number): void;
  /** Writes what is due and lets go of what would be over by now; may be called at any time. */
  submit(): void;
  readonly size: number;
}

const AT_ONCE = 64;

export function createBanQueue(options: BanQueueOptions): BanQueue {
  return new DueBans(options);
}

class DueBans implements BanQueue {
  readonly #options: BanQueueOptions;
  readonly #due = new Map<string, DueBan>();
  readonly #writing = new Set<string>();
  readonly #turns = new HostTurns();
  /** Whether the last write has failed, so that the log says it once. */
  #isFailing = false;

  constructor(options: BanQueueOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#due.size;
  }

  add(task: DueBan): void {
    const { now, onMissed } = this.#options;
    if (isPast(task, now())) {
      onMissed(task);
      return;
    }
    const key = banKey(task.jail.name, task.offence.address);
    this.#due.set(key, task);
    this.#turns.add(key, task.host);
    this.#writeNext();
  }

  covered(jail: string, address: Address, until: number): void {
    const key = banKey(jail, address);
    const task = this.#due.get(key);
    if (task && task.offence.at <= until) this.#due.delete(key);
  }

  submit(): void {
    const { now, onMissed } = this.#options;
    for (const [key, task] of this.#due) {
      if (this.#writing.has(key)) continue;
      if (isPast(task, now())) {
        this.#due.delete(key);
        onMissed(task);
      } else this.#turns.add(key, task.host);
    }
    this.#writeNext();
  }

  #writeNext(): void {
    while (this.#writing.size < AT_ONCE && this.#options.isLeader()) {
      const key = this.#turns.take();
      if (key === undefined) return;
      const task = this.#due.get(key);
      // While it is being written a later offence waits for that.
      if (task && !this.#writing.has(key)) void this.#write(key, task);
    }
  }

  async #write(key: string, task: DueBan): Promise<void> {
    this.#writing.add(key);
    try {
      const { written, wasOver } = await this.#tryToWrite(task);
      this.#isFailing = false;
      if (this.#due.get(key) === task) {
        this.#due.delete(key);
        if (!written && wasOver) this.#options.onMissed(task);
      }
      if (written) this.#report(written, task);
    } catch (error) {
      this.#complain(error, task);
    } finally {
      this.#writing.delete(key);
    }
    const later = this.#due.get(key);
    if (later && later !== task) this.#turns.add(key, later.host);
    this.#writeNext();
  }

  /** `wasOver`: the ban would have been over before it could be written. */
  async #tryToWrite(task: DueBan): Promise<{ written: Written | undefined; wasOver: boolean }> {
    const { bans, newChange, judge } = this.#options;
    const { jail, offence, host } = task;
    let wasOver = false;
    const written = await bans.change(jail.name, offence.address, (present) => {
      const change = { ...newChange(jail, offence.address), ...completedBy(task) };
      wasOver = isOffenceOver(present, jail, offence, change);
      const ban = banForOffence(present, jail, offence, change);
      return ban && judge(ban, present, host);
    });
    return { written, wasOver };
  }

  #report(written: Written, { jail, storedAt }: DueBan): void {
    const { log, onBanned } = this.#options;
    const { address, reason, until, held } = written.ban;
    const facts = { jail: jail.name, address, reason, until: spell(until) };
    if (held === undefined) {
      log.info(facts, "banned");
      onBanned?.(written, storedAt);
    } else log.debug({ ...facts, held }, "ban is held");
  }

  #complain(error: unknown, { offence }: DueBan): void {
    const facts = { address: offence.address, reason: reasonOf(error), due: this.size };
    if (!this.#isFailing) this.#options.log.error(facts, "ban cannot be written, keeps trying");
    this.#isFailing = true;
  }
}

function completedBy({ host, storedAt, sentAt }: DueBan): Pick<Change, "completedBy"> {
  return sentAt === undefined ? {} : { completedBy: { host, sentAt, storedAt } };
}

/** Would the ban be over at `now`, however long it may be? */
export function isPast({ jail, offence }: DueBan, now: number): boolean {
  const seconds = longestBanSeconds(jail);
  return seconds !== null && offence.at + seconds * 1000 <= now;
}

function spell(until: number | null): string {
  return until === null ? "for ever" : new Date(until).toISOString();
}
