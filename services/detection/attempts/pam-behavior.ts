/**
 * What PAM's refusals mean on a host. Where another passdb is asked after PAM, PAM first refuses
 * everybody whom that one knows, and without auth_verbose no line says so: only a login that
 * follows within PAM's delay does. So refusals of users that PAM does not know are held, unless
 * many logins have shown that PAM has nobody behind it.
 */
import { READ_LATE_MS } from "./provisional.ts";
import type { PassdbChain } from "./passdb-chain.ts";
import { createSuccesses } from "./recent-logins.ts";
import {
  PAM_ACCEPTED_WITHIN_MS,
  type PamLine,
  type Success,
  type Untied,
  type UntiedAttempts,
} from "./attempts-by-address.ts";

export interface Habits {
  /** Logins are seen at all. */
  hasLogins: boolean;
  /** Logins in a row before which PAM had not refused the same user. */
  clean: number;
  /** A login came so late after PAM's refusal that no provisional failure would have waited for it. */
  isSlow: boolean;
}

export interface PamHabits {
  /** A connection's end, or a login. */
  seesLogin(): void;
  /** How PAM's line is to be counted. */
  judge(line: PamLine): "not" | "at once" | "held";
  /** Somebody was let in; the attempt that PAM alone had told of. */
  accept(success: Success): Untied | undefined;
  forget(before: number): void;
  snapshot(): Habits;
}

export interface PamHabitsOptions {
  untied: UntiedAttempts;
  chains: ReadonlyMap<string, PassdbChain>;
  sources: ReadonlySet<string>;
  canWait: boolean;
  known: Habits | undefined;
}

/** From its line to the login of the same attempt. */
export const PAM_HELD_MS = PAM_ACCEPTED_WITHIN_MS + READ_LATE_MS;
const CLEAN_LOGINS = 50;

export function createPamHabits(options: PamHabitsOptions): PamHabits {
  const { untied, chains, sources, canWait, known } = options;
  const habits: Habits = { hasLogins: false, clean: 0, isSlow: false, ...known };
  const successes = createSuccesses();

  function isUnsure(): boolean {
    if (canWait) return true;
    if (habits.clean >= CLEAN_LOGINS) return false;
    for (const { pam, length } of chains.values()) if (pam === "last" && length > 0) return false;
    // Where no login is ever seen, nothing is to be waited for.
    return habits.hasLogins || sources.size > 1;
  }

  return {
    seesLogin: () => void (habits.hasLogins = true),
    judge(line) {
      // The next passdb's line tells whether the attempt was refused, or the connection's end.
      for (const { pam, length } of chains.values()) {
        if (pam === "early" && length > 1) return "not";
      }
      if (!line.isUnknownHere) return "at once";
      if (successes.follows(line)) {
        habits.clean = 0;
        return "not"; // each of several modules and logs finds that for itself
      }
      if (habits.isSlow) return "not";
      return isUnsure() ? "held" : "at once";
    },
    accept(success) {
      const behindPam = untied.acceptPam(success);
      if (!behindPam) {
        habits.clean += 1;
        // PAM's line may stand in another log, which is read later.
        if (sources.size > 1) successes.add(success);
        return undefined;
      }
      habits.clean = 0;
      if (behindPam.isLate) habits.isSlow = true;
      return behindPam.attempt;
    },
    forget: successes.forget,
    snapshot: () => ({ ...habits }),
  };
}
