/**
 * The last failures of this host. While the fleet decides, noting them is all that counting alone
 * costs; once the host is alone, they are counted.
 */
import type { Failure } from "../../detection/attempts/failure.ts";

export interface JailFailure {
  jail: string;
  failure: Failure;
}

export interface RecentFailures {
  note(jail: string, failures: readonly Failure[]): void;
  /** The oldest first. */
  all(): Iterable<JailFailure>;
}

/** Each keeps some 500 bytes in memory. */
export const KEPT_FAILURES = 10_000;

export function createRecentFailures(kept = KEPT_FAILURES): RecentFailures {
  const jails: string[] = [];
  const failures: Failure[] = [];
  /** Where the next one goes, over the oldest. */
  let next = 0;

  return {
    note(jail, found) {
      for (const failure of found) {
        jails[next] = jail;
        failures[next] = failure;
        next = (next + 1) % kept;
      }
    },
    *all() {
      for (let count = 0; count < failures.length; count += 1) {
        const place = (failures.length < kept ? count : next + count) % kept;
        const [jail, failure] = [jails[place], failures[place]];
        if (jail !== undefined && failure) yield { jail, failure };
      }
    },
  };
}
