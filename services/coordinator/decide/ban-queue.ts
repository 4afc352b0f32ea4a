/**
 * Bans that are decided and not yet to be seen in the bucket, and the one place that writes them.
 *
 * A few are written at once, for thousands of writes under way would make each of them, and the
 * lease's renewal, time out. Hosts take turns: one that reports attempts of thousands of addresses,
 * because it is attacked so or because it lies, delays the bans that others have brought by
 * one write each.
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
  const { bans, isLeader, now, newChange, log, onMissed } = options;
  const due = new Map<string, DueBan>();
  const writing = new Set<string>();
  /** Keys that wait to be written, by host; the host whose turn it is comes first. */
  const turns = new Map<string, Set<string>>();
  let isFailing = false;

  function line(key: string, host: string): void {
    const waiting = turns.get(host);
    if (waiting) waiting.add(key);
    else turns.set(host, new Set([key]));
  }

  /** The key whose turn it is; undefined: none waits. */
  function next(): string | undefined {
    for (const [host, waiting] of turns) {
      turns.delete(host);
      const [key] = waiting;
      if (key === undefined) continue;
      waiting.delete(key);
      if (waiting.size > 0) turns.set(host, waiting);
      return key;
    }
    return undefined;
  }

  function pump(): void {
    while (writing.size < AT_ONCE && isLeader()) {
      const key = next();
      if (key === undefined) return;
      const task = due.get(key);
      // While it is being written a later offence waits for that.
      if (task && !writing.has(key)) void write(key, task);
    }
  }

  async function write(key: string, task: DueBan): Promise<void> {
    writing.add(key);
    const { jail, offence } = task;
    const outcome = { wasOver: false };
    try {
      const written = await bans.change(jail.name, offence.address, (present) => {
        const change = { ...newChange(jail, offence.address), ...completedBy(task) };
        outcome.wasOver = isOffenceOver(present, jail, offence, change);
        const ban = banForOffence(present, jail, offence, change);
        return ban && options.judge(ban, present, task.host);
      });
      isFailing = false;
      if (due.get(key) === task) {
        due.delete(key);
        if (!written && outcome.wasOver) onMissed(task);
      }
      if (written) {
        const { address, reason, until, held } = written.ban;
        const facts = { jail: jail.name, address, reason, until: spell(until) };
        if (held !== undefined) log.debug({ ...facts, held }, "ban is held");
        else {
          log.info(facts, "banned");
          options.onBanned?.(written, task.storedAt);
        }
      }
    } catch (error) {
      const reason = reasonOf(error);
      const facts = { address: offence.address, reason, due: due.size };
      if (!isFailing) log.error(facts, "ban cannot be written, keeps trying");
      isFailing = true;
    } finally {
      writing.delete(key);
    }
    const later = due.get(key);
    if (later && later !== task) line(key, later.host);
    pump();
  }

  return {
    add(task) {
      if (isPast(task, now())) {
        onMissed(task);
        return;
      }
      const key = banKey(task.jail.name, task.offence.address);
      due.set(key, task);
      line(key, task.host);
      pump();
    },
    covered(jail, address, until) {
      const key = banKey(jail, address);
      const task = due.get(key);
      if (task && task.offence.at <= until) due.delete(key);
    },
    submit() {
      for (const [key, task] of due) {
        if (isPast(task, now()) && !writing.has(key)) {
          due.delete(key);
          onMissed(task);
        } else if (!writing.has(key)) line(key, task.host);
      }
      pump();
    },
    get size() {
      return due.size;
    },
  };
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
