/**
 * Counts the failures of this host while it is alone, by the last known policy. An attacker with very
 * many addresses must not fill the memory: where too many addresses are tracked, all but the last
 * failures of this host are forgotten.
 */
import { isUndecided } from "../../detection/attempts/provisional.ts";
import type { WithdrawnAttempts } from "../../detection/attempts/withdrawn-attempts.ts";
import { jailAt, nextChangeOf } from "../../policy/jail-at.ts";
import type { Address } from "../../wire/address.ts";
import type { Jail } from "../../wire/settings.ts";
import { createLocalCount, type LocalCount, type LocalDecision } from "./local-count.ts";
import { KEPT_FAILURES, type JailFailure, type RecentFailures } from "./recent-failures.ts";

export interface CountingAloneOptions {
  host: string;
  settings: {
    jails(): readonly Jail[];
    isJailOf(jail: string, host: string): boolean;
  };
  recent: Pick<RecentFailures, "all">;
  withdrawn: Pick<WithdrawnAttempts, "attemptsLeft">;
  /** Why nobody bans the address here; undefined: it may be banned. */
  whySpared: (address: Address, jail: string) => string | undefined;
  /** Has somebody logged in from the address on this host since then? */
  hasLoggedIn: (address: Address, since: number) => boolean;
  /** Up to when the fleet has counted the failures of an address; undefined: not known. */
  countedUntil: (jail: string, address: Address) => number | undefined;
  decide: (decision: LocalDecision) => void;
  now: () => number;
}

/** More tracked addresses than this are forgotten, but for those of the recent failures. */
const MAX_TRACKED = 5 * KEPT_FAILURES;

export class CountingAlone {
  readonly #options: CountingAloneOptions;
  #count: LocalCount;
  /** When what an operator has set of a jail ends; Infinity: nothing does. */
  #jailsChangeAt: number;
  /** Failures that are still provisional, the oldest first. */
  #uncertain: JailFailure[] = [];

  constructor(options: CountingAloneOptions) {
    this.#options = options;
    [this.#count, this.#jailsChangeAt] = newCount(options);
  }

  /** Counts the last failures of this host, which came before it was alone. */
  addRecent(): void {
    for (const failure of this.#options.recent.all()) this.add(failure);
  }

  add(failure: JailFailure): void {
    if (isUndecided(failure.failure.provisional, this.#options.now())) {
      if (this.#uncertain.length < KEPT_FAILURES) this.#uncertain.push(failure);
      return;
    }
    if (this.#count.tracked() > MAX_TRACKED) this.#countAnew();
    else this.#addCertain(failure);
  }

  /** Time has gone by: jails may have changed, and provisional failures may be certain. */
  look(): void {
    if (this.#jailsChangeAt <= this.#options.now()) this.#countAnew();
    const uncertain = this.#uncertain;
    this.#uncertain = [];
    for (const failure of uncertain) this.add(failure);
  }

  #countAnew(): void {
    [this.#count, this.#jailsChangeAt] = newCount(this.#options);
    for (const failure of this.#options.recent.all()) {
      if (!isUndecided(failure.failure.provisional, this.#options.now())) this.#addCertain(failure);
    }
  }

  #addCertain(failure: JailFailure): void {
    for (const decision of this.#count.add(failure, this.#options.now())) {
      this.#options.decide(decision);
    }
  }
}

/** A count by the present jails, and when these change. */
function newCount(options: CountingAloneOptions): [LocalCount, number] {
  const { host, settings, withdrawn, countedUntil, hasLoggedIn, whySpared, now } = options;
  const jails = settings.jails().map((jail) => jailAt(jail, now()));
  const count = createLocalCount({
    ...{ host, jails, countedUntil, hasLoggedIn },
    isJailOf: (jail, of) => settings.isJailOf(jail, of),
    isSpared: (address, jail) => whySpared(address, jail) !== undefined,
    attemptsLeft: (failure) => withdrawn.attemptsLeft(failure),
  });
  return [count, nextChangeOf(jails)];
}
