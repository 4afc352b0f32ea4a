/**
 * What a policy would have done to failures of the past, of a log or on record: who is banned when,
 * and what that prevents. It decides with the code that the decider uses.
 */
import { createKeptSeconds, memoryOf } from "./ban-memory.ts";
import { countedAs } from "./counted-network.ts";
import { createLoginMemory, type LoginMemory } from "./login-memory.ts";
import { ReplayCounter, type ReplayRules, type SimulatedBan } from "./replay-counter.ts";
import type { Attempts } from "./sliding-window.ts";
import type { Address } from "../wire/address.ts";
import { createHostGroup } from "../wire/host-pattern.ts";
import type { Jail } from "../wire/settings.ts";

export type { SimulatedBan } from "./replay-counter.ts";

export interface SimulatedPolicy {
  jail: Jail;
  /** A jail that counts the bans of the first; undefined: there is none. */
  recidive: Jail | undefined;
  /** Seconds. */
  dbpurgeage: number;
  /** fleet: all hosts count together and ban together; alone: each for itself. */
  scope: "fleet" | "alone";
  /** "today": the fleet has it. "default": a fleet without a file has it. undefined: it is tried. */
  origin?: "today" | "default";
}

export interface Replay {
  readonly policy: SimulatedPolicy;
  /** Somebody has logged in on a host; in the order of their time with the failures. */
  login(host: string, address: Address, at: number): void;
  /** Failures in the order of their time. */
  fail(host: string, failure: Attempts): void;
  /** Forgets what matters no more at `now`, by the times of the failures. */
  sweep(now: number): void;
  /** Attempts that were made on a host while it would have had the address banned. */
  prevented(): number;
}

export interface ReplayOptions {
  policy: SimulatedPolicy;
  onBan: (ban: SimulatedBan) => void;
  /** Has somebody logged in since then? undefined: the logins that `login` has noted say so. */
  hasLoggedIn?: (address: Address, since: number) => boolean;
  /** May no ban touch the address or network? undefined: a ban may touch everybody. */
  isSpared?: (address: Address) => boolean;
}

/** The name of what counts for all hosts. */
const EVERY_HOST = "";

export function createReplay(options: ReplayOptions): Replay {
  const replay = new PolicyReplay(options);
  return {
    policy: options.policy,
    login: (host, address, at) => replay.login(host, address, at),
    fail: (host, failure) => replay.fail(host, failure),
    sweep: (now) => replay.sweep(now),
    prevented: () => replay.prevented,
  };
}

class PolicyReplay {
  readonly #options: ReplayOptions;
  readonly #rules: ReplayRules;
  readonly #isOfHost: ((host: string) => boolean) | undefined;
  readonly #logins: LoginMemory = createLoginMemory({ perHost: Infinity, total: Infinity });
  /** By the host that counts for itself; a fleet has one. */
  readonly #counters = new Map<string, ReplayCounter>();
  prevented = 0;

  constructor(options: ReplayOptions) {
    const { policy, onBan } = options;
    const { jail, recidive, dbpurgeage } = policy;
    const jails = recidive ? [jail, recidive] : [jail];
    const memory = memoryOf(jails, dbpurgeage);
    const keptSeconds = createKeptSeconds(jails, memory);
    this.#options = options;
    this.#rules = { jail, recidive, dbpurgeage, memory, keptSeconds, onBan };
    this.#isOfHost = jail.hosts && createHostGroup(jail.hosts);
  }

  login(host: string, address: Address, at: number): void {
    if (this.#rules.jail.knownGood) this.#logins.note(host, address, at);
  }

  fail(host: string, failure: Attempts): void {
    const { address, at, attempts } = failure;
    if (this.#isOfHost?.(host) === false || this.#isSpared(address)) return;
    const counter = this.#counterOf(this.#options.policy.scope === "fleet" ? EVERY_HOST : host);
    const counted = this.#countedFor(address);
    if (counter.isBanned(counted, at, host)) {
      this.prevented += attempts; // they would not have been made: they count for nothing
      return;
    }
    counter.count(counted, host, failure);
  }

  sweep(now: number): void {
    for (const counter of this.#counters.values()) counter.sweep(now);
  }

  #counterOf(host: string): ReplayCounter {
    const known = this.#counters.get(host);
    if (known) return known;
    const hasLoggedIn = (address: Address, since: number) =>
      this.#hasLoggedIn(host, address, since);
    const counter = new ReplayCounter(this.#rules, hasLoggedIn);
    this.#counters.set(host, counter);
    return counter;
  }

  /** Has somebody logged in on one of the hosts that count together? */
  #hasLoggedIn(host: string, address: Address, since: number): boolean {
    if (this.#options.hasLoggedIn) return this.#options.hasLoggedIn(address, since);
    if (host === EVERY_HOST) return this.#logins.hasLoggedIn(address, since);
    const logins = this.#logins.loginsOf(address);
    return logins.some((login) => login.host === host && login.at >= since);
  }

  #isSpared(address: Address): boolean {
    return this.#options.isSpared?.(address) ?? false;
  }

  /** The same as the decider's: a network that holds a spared address is never banned as a whole. */
  #countedFor(address: Address): Address {
    const counted = countedAs(address, this.#rules.jail);
    return counted !== address && this.#isSpared(counted) ? address : counted;
  }
}
