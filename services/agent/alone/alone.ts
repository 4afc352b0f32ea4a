/**
 * A host that is alone still bans: while nobody decides, it counts its own failures by the last
 * known policy.
 *
 *   in-touch --no contact for fallbackAfter--> alone: recent failures are counted, then every new one
 *   alone --contact--> in-touch: nothing is counted here any more
 *
 * Invariants:
 * - The publisher does not know of this: every failure goes to NATS as always, and the coordinator
 *   counts it once. What is counted here never leaves the host.
 * - A ban that was given alone stays until the fleet has decided about its failures (see
 *   decided-bans.ts), and never longer than the policy says.
 */
import type { Found } from "../../detection/attempts/failure.ts";
import { WithdrawnAttempts } from "../../detection/attempts/withdrawn-attempts.ts";
import type { SignOfLife } from "../../wire/settings.ts";
import type { Contact } from "./contact.ts";
import { CountingAlone, type CountingAloneOptions } from "./counting-alone.ts";
import type { FleetState } from "./decided-bans.ts";
import { LocalBans, type LocalBansOptions } from "./local-bans.ts";
import type { LocalDecision } from "./local-count.ts";
import { createRecentFailures } from "./recent-failures.ts";

export interface Alone {
  /** Hears of every failure that is found on this host, and of every attempt that is withdrawn. */
  note(jail: string, found: Found): void;
  /** The leader lives. */
  noteSign(sign: SignOfLife): void;
  /** The fleet has a new state of a ban that this host has given. */
  noteFleetBan(ban: FleetState, isHere: boolean): void;
  /** Bans that were given before a restart of the agent. */
  restore(bans: readonly LocalDecision[]): void;
  /** Looks whether this host is alone; to be called every second. */
  look(): void;
  /** Since when nobody decides, epoch milliseconds; undefined: this host is not alone. */
  since(): number | undefined;
  bans(): LocalDecision[];
}

export interface AloneOptions
  extends
    Omit<CountingAloneOptions, "recent" | "withdrawn" | "decide" | "settings">,
    LocalBansOptions {
  fallbackAfterMs: number;
  contact: Contact;
  settings: CountingAloneOptions["settings"] & { hasPolicy(): boolean };
  /** The bans, or whether this host is alone, have changed. */
  onChange: () => void;
}

type Phase = { phase: "in-touch" } | { phase: "alone"; since: number; counting: CountingAlone };

export function createAlone(options: AloneOptions): Alone {
  const { fallbackAfterMs, contact, decided, settings, onChange, now, log } = options;
  const recent = createRecentFailures();
  const withdrawn = new WithdrawnAttempts();
  const bans = new LocalBans(options);
  let phase: Phase = { phase: "in-touch" };

  function begin(lostForMs: number): void {
    const since = now() - Math.round(lostForMs);
    const decide = (decision: LocalDecision) => bans.give(decision);
    const counting = new CountingAlone({ ...options, recent, withdrawn, decide });
    phase = { phase: "alone", since, counting };
    log.error(
      { since: new Date(since).toISOString() },
      "nobody decides, this host counts for itself",
    );
    counting.addRecent();
    onChange();
  }

  function end(): void {
    phase = { phase: "in-touch" };
    bans.noteInTouch();
    log.info({ bans: decided.size }, "a coordinator decides again, this host no longer does");
    onChange();
  }

  function look(): void {
    contact.look();
    const lostForMs = contact.lostForMs();
    const isLost = lostForMs >= fallbackAfterMs;
    if (phase.phase === "alone") {
      if (isLost) phase.counting.look();
      else end();
    } else if (isLost && settings.hasPolicy()) begin(lostForMs);
    bans.endOver();
  }

  return {
    note(jail, { failures, withdrawn: attempts }) {
      withdrawn.note(attempts);
      recent.note(jail, failures);
      if (phase.phase !== "alone") return;
      for (const failure of failures) phase.counting.add({ jail, failure });
    },
    noteSign(sign) {
      contact.noteSign();
      look();
      bans.noteSign(sign);
    },
    noteFleetBan: (ban, isHere) => bans.noteFleetBan(ban, isHere),
    restore: (given) => bans.restore(given),
    look,
    since: () => (phase.phase === "alone" ? phase.since : undefined),
    bans: decided.list,
  };
}
