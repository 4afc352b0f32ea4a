/**
 * Counted attempts that may have to be taken back, because a login may still show that another
 * passdb has accepted the password.
 */
import type { Untied } from "./attempts-by-address.ts";
import { createHold, withdraw, type Hold } from "./hold.ts";
import { ACCEPTED_WITHIN_MS, type PassdbChain } from "./passdb-chain.ts";
import type { Session } from "./session-store.ts";

export class HeldAttempts {
  /** The hold of what the line has added that is being counted; undefined: nothing is held. */
  current: Hold | undefined;
  /** Each held attempt's hold. The attempts of one line share one. */
  readonly #holds = new WeakMap<Untied, Hold>();
  /** Attempts at passdbs of which nothing is known yet, in the order of their lines. */
  readonly #waiting: { at: number; hold: Hold; chain: PassdbChain }[] = [];

  /** Holds an attempt back until `until`, by the clock. */
  add(attempt: Untied, until: number): Hold {
    this.current ??= createHold(until);
    this.#holds.set(attempt, this.current);
    return this.current;
  }

  /** If no login follows what is held, `hearSilence` notes that about the passdbs. */
  await(hold: Hold, at: number, chain: PassdbChain): void {
    this.#waiting.push({ at, hold, chain });
  }

  /** No login has followed what has waited long enough. */
  hearSilence(at: number): void {
    for (;;) {
      const [first] = this.#waiting;
      if (first === undefined || at - first.at <= ACCEPTED_WITHIN_MS) return;
      this.#waiting.shift();
      if (first.hold.withdrawn === 0) first.chain.silent += 1;
    }
  }

  /** The attempt was none. False: it is too late to say so. */
  withdraw(attempt: Untied): boolean {
    return withdraw(this.#holds.get(attempt));
  }

  /** Takes an attempt of the session back. False: there is none, or it is too late. */
  takeBack(session: Session, attempt: Untied | undefined): boolean {
    if (attempt === undefined || !this.withdraw(attempt)) return false;
    this.#holds.delete(attempt);
    session.counted -= 1;
    return true;
  }
}
