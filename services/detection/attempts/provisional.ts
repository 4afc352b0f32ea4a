/**
 * Names a failure that is not certain yet. Some lines say that a password was refused, and only
 * what comes next tells that another passdb has accepted it. The ledger counts such a refusal at
 * once. If a login shows that an attempt was none, the ledger withdraws it, by this name. Whoever
 * publishes the failure waits until then, and settles it: from then on nothing is withdrawn.
 *
 * Nothing in it ever changes: the object itself is the name.
 */
export interface Provisional {
  /** When the failure no longer needs to wait, by the clock of whoever reads; epoch milliseconds. */
  readonly until: number;
}

/** What is waited for is read a little after it was written. */
export const READ_LATE_MS = 500;

/** However long what is waited for may take. */
const LONGEST_WAIT_MS = 10_000;

/** Does the failure have to wait still? undefined: it never had to. */
export function isUndecided(provisional: Provisional | undefined, now: number): boolean {
  if (!provisional) return false;
  const leftMs = provisional.until - now;
  // Longer than any wait: the clock was set back.
  return leftMs > 0 && leftMs <= LONGEST_WAIT_MS;
}
