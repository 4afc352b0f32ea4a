/**
 * Decides on bans: a fold over the stream of failures, from the longest findtime
 * ago into the present. Nothing is acknowledged, so nothing can be lost: who starts
 * again folds again, and what is decided twice is written once (see policy.ts).
 *
 * Every coordinator folds; the one with the lease writes. What is due and not yet
 * to be seen in the bans bucket is kept, so a coordinator that takes over writes
 * what the last one did not.
 */
import type { JsMsg } from "@nats-io/jetstream";
import type { Log } from "../daemon/log.ts";
import type { Address } from "../wire/address.ts";
import { spentUntil, type Ban } from "../wire/ban.ts";
import { WireError } from "../wire/codec.ts";
import { decodeFailureBatch, type FailureBatch } from "../wire/failure.ts";
import type { Jail } from "../wire/settings.ts";
import { banKey } from "../wire/subjects.ts";
import type { Allowlist } from "./allowlist.ts";
import type { Step, Written } from "./ban-store.ts";
import { banForOffence } from "../counting/policy.ts";
import { byServersClock, storedAtOf } from "./host-clock.ts";
import { createSeen } from "./seen.ts";
import { createWindows, type Offence, type Windows } from "../counting/window.ts";

export interface DeciderOptions {
  jails: readonly Jail[];
  bans: {
    get(jail: string, address: Address): Ban | undefined;
    change(jail: string, address: Address, step: Step): Promise<Written | undefined>;
  };
  allowlist: Pick<Allowlist, "find">;
  isHolder: () => boolean;
  now: () => number;
  newId: () => string;
  log: Log;
  /** A ban was written; `storedAt` is the stream's time of the failure that brought it. */
  onBanned?: (written: Written, storedAt: number) => void;
}

export interface Decider {
  /** Folds one message of the stream in. */
  take(message: Pick<JsMsg, "subject" | "data" | "timestampNanos">): void;
  /** A ban was seen in the bucket. */
  observe(ban: Ban): void;
  /** The lease was taken: writes what is due. */
  submitDue(): void;
  /** Lets go of what is too old to matter. */
  sweep(): void;
  readonly counters: { failures: number; undecodable: number; tracked(): number; due(): number };
}

const COMPLAIN_EVERY_MS = 60_000;

interface Due {
  jail: Jail;
  offence: Offence;
  at: number;
}

export function createDecider(options: DeciderOptions): Decider {
  const { bans, allowlist, isHolder, now, newId, log } = options;
  const jails = new Map<string, { jail: Jail; windows: Windows }>(
    options.jails.map((jail) => {
      const { maxretry, findtime } = jail;
      return [jail.name, { jail, windows: createWindows({ maxretry, findtime: findtime * 1000 }) }];
    }),
  );
  const longestFindtimeMs = Math.max(...options.jails.map(({ findtime }) => findtime)) * 1000;
  const seen = createSeen(now);
  const due = new Map<string, Due>();
  const writing = new Set<string>();
  /** When which host was last complained of. */
  const complained = new Map<string, number>();
  let failures = 0;
  let undecodable = 0;

  function decodeOrComplain(message: Pick<JsMsg, "subject" | "data">): FailureBatch | undefined {
    try {
      return decodeFailureBatch(message.data, message.subject);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      undecodable += 1;
      // Credentials let a host name any jail, but no other host.
      const sender = message.subject.split(".").at(-1) ?? "";
      const last = complained.get(sender) ?? -Infinity;
      if (now() - last >= COMPLAIN_EVERY_MS) {
        complained.set(sender, now());
        log.warn({ subject: message.subject, reason: error.message }, "failures cannot be decoded");
      }
      return undefined;
    }
  }

  function take(message: Pick<JsMsg, "subject" | "data" | "timestampNanos">): void {
    const batch = decodeOrComplain(message);
    const counted = batch && jails.get(batch.jail);
    if (!counted) return;
    const storedAt = storedAtOf(message);
    const { jail, windows } = counted;
    for (const { address, at, attempts } of seen.take(byServersClock(batch, storedAt))) {
      failures += attempts;
      const present = bans.get(jail.name, address);
      if (present && at <= spentUntil(present)) continue;
      for (const offence of windows.add(address, batch.host, at, attempts)) {
        enqueue({ jail, offence, at: storedAt });
      }
    }
  }

  function enqueue(task: Due): void {
    const { jail, offence } = task;
    if (jail.bantime !== null && offence.at + jail.bantime * 1000 <= now()) return;
    const allowed = allowlist.find(offence.address);
    if (allowed) {
      log.info({ address: offence.address, allowed: allowed.address }, "allowlisted, not banned");
      return;
    }
    const key = banKey(jail.name, offence.address);
    due.set(key, task);
    if (isHolder()) void submit(key, task);
  }

  async function submit(key: string, task: Due): Promise<void> {
    if (writing.has(key)) return; // submitted again by the sweep, should this one fail
    writing.add(key);
    const { jail, offence } = task;
    try {
      const written = await bans.change(jail.name, offence.address, (present) =>
        banForOffence(present, jail, offence, { now: now(), id: newId() }),
      );
      if (due.get(key) === task) due.delete(key);
      if (written) {
        const { address, reason, until } = written.ban;
        log.info({ jail: jail.name, address, reason, until: spell(until) }, "banned");
        options.onBanned?.(written, task.at);
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.error({ address: offence.address, reason }, "ban cannot be written, keeps trying");
    } finally {
      writing.delete(key);
    }
    const next = due.get(key);
    if (next && next !== task && isHolder()) void submit(key, next);
  }

  function submitDue(): void {
    for (const [key, task] of due) {
      const { bantime } = task.jail;
      const isPast = bantime !== null && task.offence.at + bantime * 1000 <= now();
      if (isPast) due.delete(key);
      else if (isHolder()) void submit(key, task);
    }
  }

  return {
    take,
    observe(ban) {
      const until = spentUntil(ban);
      jails.get(ban.jail)?.windows.spend(ban.address, until);
      const key = banKey(ban.jail, ban.address);
      const task = due.get(key);
      if (task && task.offence.at <= until) due.delete(key);
    },
    submitDue,
    sweep() {
      for (const { windows } of jails.values()) windows.sweep(now());
      seen.sweep(now() - 4 * longestFindtimeMs);
      for (const [sender, at] of complained) {
        if (now() - at >= COMPLAIN_EVERY_MS) complained.delete(sender);
      }
      submitDue();
    },
    counters: {
      get failures() {
        return failures;
      },
      get undecodable() {
        return undecodable;
      },
      tracked: () => [...jails.values()].reduce((sum, { windows }) => sum + windows.size, 0),
      due: () => due.size,
    },
  };
}

function spell(until: number | null): string {
  return until === null ? "for ever" : new Date(until).toISOString();
}
