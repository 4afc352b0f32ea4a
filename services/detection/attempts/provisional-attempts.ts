/**
 * Counted attempts that may have to be withdrawn, because a login may still show that another
 * passdb has accepted the password.
 */
import type { Untied } from "./attempts-by-address.ts";
import { ACCEPTED_WITHIN_MS, type PassdbChain } from "./passdb-chain.ts";
import type { Provisional } from "./provisional.ts";
import type { Session } from "./session-store.ts";

/** The provisional attempts of one line: they are one failure. */
interface Group {
  readonly provisional: Provisional;
  withdrawn: number;
  /** The failure is on its way: it is too late to withdraw anything. */
  isSettled: boolean;
}

const NONE: readonly Provisional[] = [];

export class ProvisionalAttempts {
  /** The provisional attempts of the line that is being counted. */
  #ofLine: Group | undefined;
  readonly #groups = new WeakMap<Provisional, Group>();
  /** The group of each provisional attempt. */
  readonly #groupOf = new WeakMap<Untied, Group>();
  /** Attempts at passdbs of which nothing is known yet, in the order of their lines. */
  readonly #waiting: { at: number; group: Group; chain: PassdbChain }[] = [];
  #withdrawn: Provisional[] = [];

  /** Another line is counted. */
  startLine(): void {
    this.#ofLine = undefined;
  }

  /** Names the failure of the line that is being counted; undefined: its attempts are certain. */
  ofLine(): Provisional | undefined {
    return this.#ofLine?.provisional;
  }

  /** The attempt may be withdrawn, and its failure is to wait until `until`, by the clock. */
  add(attempt: Untied, until: number): Group {
    this.#ofLine ??= this.#newGroup(until);
    this.#groupOf.set(attempt, this.#ofLine);
    return this.#ofLine;
  }

  #newGroup(until: number): Group {
    const group = { provisional: { until }, withdrawn: 0, isSettled: false };
    this.#groups.set(group.provisional, group);
    return group;
  }

  /** If no login follows the attempts, `hearSilence` notes that about the passdbs. */
  await(group: Group, at: number, chain: PassdbChain): void {
    this.#waiting.push({ at, group, chain });
  }

  /** No login has followed what has waited long enough. */
  hearSilence(at: number): void {
    for (;;) {
      const [first] = this.#waiting;
      if (first === undefined || at - first.at <= ACCEPTED_WITHIN_MS) return;
      this.#waiting.shift();
      if (first.group.withdrawn === 0) first.chain.silent += 1;
    }
  }

  /** The attempt was none. False: it is too late to say so. */
  withdraw(attempt: Untied): boolean {
    const group = this.#groupOf.get(attempt);
    if (!group || group.isSettled) return false;
    group.withdrawn += 1;
    this.#withdrawn.push(group.provisional);
    return true;
  }

  /** Takes an attempt of the session back. False: there is none, or it is too late. */
  takeBack(session: Session, attempt: Untied | undefined): boolean {
    if (attempt === undefined || !this.withdraw(attempt)) return false;
    this.#groupOf.delete(attempt);
    session.counted -= 1;
    return true;
  }

  /** See `Ledger.takeWithdrawn`. */
  takeWithdrawn(): readonly Provisional[] {
    if (this.#withdrawn.length === 0) return NONE;
    const taken = this.#withdrawn;
    this.#withdrawn = [];
    return taken;
  }

  /** See `Ledger.settle`. */
  settle(provisional: Provisional): void {
    const group = this.#groups.get(provisional);
    if (group) group.isSettled = true;
  }
}
