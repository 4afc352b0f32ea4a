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
import { isUndecided } from "../../detection/attempts/provisional.ts";
import { WithdrawnAttempts } from "../../detection/attempts/withdrawn-attempts.ts";
import type { Log } from "../../process/log.ts";
import { jailAt, nextChangeOf } from "../../policy/jail-at.ts";
import type { Address } from "../../wire/address.ts";
import type { Jail, SignOfLife } from "../../wire/settings.ts";
import type { Contact } from "./contact.ts";
import type { DecidedBans, FleetState, Progress } from "./decided-bans.ts";
import { createLocalCount, type LocalCount, type LocalDecision } from "./local-count.ts";
import { createRecentFailures, KEPT_FAILURES, type JailFailure } from "./recent-failures.ts";

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

export interface AloneOptions {
  host: string;
  fallbackAfterMs: number;
  contact: Contact;
  decided: DecidedBans;
  settings: {
    jails(): readonly Jail[];
    isJailOf(jail: string, host: string): boolean;
    hasPolicy(): boolean;
  };
  /** Why nobody bans the address here; undefined: it may be banned. */
  whySpared: (address: Address, jail: string) => string | undefined;
  /** Has somebody logged in from the address on this host since then? */
  hasLoggedIn: (address: Address, since: number) => boolean;
  /** Up to when the fleet has counted the failures of an address; undefined: not known. */
  countedUntil: (jail: string, address: Address) => number | undefined;
  progress: () => Progress;
  /** Puts the ban into force, in this host's kernel alone. */
  ban: (decision: LocalDecision) => void;
  /** Takes it back; a ban of the fleet stays. */
  unban: (decision: LocalDecision) => void;
  /** The bans, or whether this host is alone, have changed. */
  onChange: () => void;
  now: () => number;
  log: Log;
}

type Phase =
  | { phase: "in-touch" }
  | {
      phase: "alone";
      since: number;
      count: LocalCount;
      /** When what an operator has set of a jail ends; Infinity: nothing does. */
      jailsChangeAt: number;
      /** Failures that are still provisional, the oldest first. */
      uncertain: JailFailure[];
    };

type Standing = Phase & { phase: "alone" };

/** More tracked addresses than this are forgotten, but for those of the recent failures. */
const MAX_TRACKED = 5 * KEPT_FAILURES;

export function createAlone(options: AloneOptions): Alone {
  const { host, fallbackAfterMs, contact, decided, settings, onChange, now, log } = options;
  const recent = createRecentFailures();
  const withdrawn = new WithdrawnAttempts();
  let phase: Phase = { phase: "in-touch" };
  let isFullSaid = false;

  function newCount(): Pick<Standing, "count" | "jailsChangeAt"> {
    const jails = settings.jails().map((jail) => jailAt(jail, now()));
    const count = createLocalCount({
      ...{ host, jails, isJailOf: settings.isJailOf },
      countedUntil: options.countedUntil,
      hasLoggedIn: options.hasLoggedIn,
      isSpared: (address, jail) => options.whySpared(address, jail) !== undefined,
      attemptsLeft: (failure) => withdrawn.attemptsLeft(failure),
    });
    return { count, jailsChangeAt: nextChangeOf(jails) };
  }

  function begin(lostForMs: number): void {
    const since = now() - Math.round(lostForMs);
    const alone: Standing = { phase: "alone", since, uncertain: [], ...newCount() };
    phase = alone;
    log.error(
      { since: new Date(since).toISOString() },
      "nobody decides, this host counts for itself",
    );
    for (const failure of recent.all()) add(alone, failure);
    onChange();
  }

  function end(): void {
    phase = { phase: "in-touch" };
    isFullSaid = false;
    log.info({ bans: decided.size }, "a coordinator decides again, this host no longer does");
    onChange();
  }

  function add(alone: Standing, failure: JailFailure): void {
    if (isUndecided(failure.failure.provisional, now())) {
      if (alone.uncertain.length < KEPT_FAILURES) alone.uncertain.push(failure);
      return;
    }
    if (alone.count.tracked() > MAX_TRACKED) recount(alone);
    else for (const decision of alone.count.add(failure, now())) decide(decision);
  }

  /**
   * Counts the last failures anew: an attacker with very many addresses must not fill the memory,
   * and a jail has other numbers when what an operator has set of it ends.
   */
  function recount(alone: Standing): void {
    Object.assign(alone, newCount());
    for (const failure of recent.all()) {
      if (isUndecided(failure.failure.provisional, now())) continue;
      for (const decision of alone.count.add(failure, now())) decide(decision);
    }
  }

  function addCertain(alone: Standing): void {
    const { uncertain } = alone;
    alone.uncertain = [];
    for (const failure of uncertain) add(alone, failure);
  }

  function decide(decision: LocalDecision): void {
    const { jail, address, until } = decision;
    if (!decided.add(decision)) {
      if (!isFullSaid) log.error({ bans: decided.size }, "no room for more local bans");
      isFullSaid = true;
      return;
    }
    options.ban(decision);
    const end = until === null ? "for ever" : new Date(until).toISOString();
    log.warn({ jail, address, until: end }, "banned by this host alone");
    onChange();
  }

  function endAll(ended: readonly LocalDecision[], why: string): void {
    if (ended.length === 0) return;
    for (const decision of ended) options.unban(decision);
    log.info({ bans: ended.length, left: decided.size }, why);
    onChange();
  }

  function look(): void {
    contact.look();
    const lostForMs = contact.lostForMs();
    const isLost = lostForMs >= fallbackAfterMs;
    if (phase.phase === "alone") {
      if (!isLost) end();
      else {
        if (phase.jailsChangeAt <= now()) recount(phase);
        addCertain(phase);
      }
    } else if (isLost && settings.hasPolicy()) begin(lostForMs);
    if (decided.size > 0) endAll(decided.takeOver(now()), "the time of local bans is over");
  }

  return {
    note(jail, { failures, withdrawn: attempts }) {
      withdrawn.note(attempts);
      recent.note(jail, failures);
      if (phase.phase !== "alone") return;
      for (const failure of failures) add(phase, { jail, failure });
    },
    noteSign(sign) {
      contact.noteSign();
      look();
      if (decided.size === 0) return;
      const ended = decided.takeDecided(sign, options.progress());
      endAll(ended, "the fleet does not ban what this host has banned alone");
    },
    noteFleetBan(ban, isHere) {
      if (!decided.observe(ban, isHere)) return;
      options.unban({ ...ban, at: 0, until: null });
      log.info({ jail: ban.jail, address: ban.address }, "the fleet has decided about a local ban");
      onChange();
    },
    restore(bans) {
      for (const decision of bans) if (decided.add(decision)) options.ban(decision);
      endAll(decided.takeOver(now()), "the time of local bans is over");
    },
    look,
    since: () => (phase.phase === "alone" ? phase.since : undefined),
    bans: decided.list,
  };
}
