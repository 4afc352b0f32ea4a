/**
 * A count that may have to be taken back. Some lines say that a password was refused, and only
 * what comes next tells that another passdb has accepted it: such a count is found at once, but
 * is to be published only when that can no longer come. Until then it can be taken back.
 */
export interface Hold {
  /** When it no longer needs to wait, by the clock of whoever reads; epoch milliseconds. */
  readonly until: number;
  /** It waits no longer: what happened is known, or it is on its way already. */
  isOver: boolean;
  /** Attempts of the failure that were none. */
  withdrawn: number;
}

/** What is waited for is read a little after it was written. */
export const READ_LATE_MS = 500;

export const createHold = (until: number): Hold => ({ until, isOver: false, withdrawn: 0 });

/** However long what is waited for may take. */
const LONGEST_HOLD_MS = 10_000;

/** May the count still be taken back at `now`? */
export function isWaiting(hold: Hold | undefined, now: number): boolean {
  if (!hold || hold.isOver) return false;
  const leftMs = hold.until - now;
  // Longer than any hold: the clock was set back.
  return leftMs > 0 && leftMs <= LONGEST_HOLD_MS;
}

/** Takes one attempt back; false: it is too late. */
export function withdraw(hold: Hold | undefined): boolean {
  if (!hold || hold.isOver) return false;
  hold.withdrawn += 1;
  return true;
}
