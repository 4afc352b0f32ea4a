/**
 * Addresses from which somebody has logged in on this host, as far as a jail's `knownGood` asks for
 * them: which of them the fleet does not know of yet, and which are known good here while this host
 * is alone.
 *
 * A login that the fleet knows of is due again only when an eighth of `within` has passed, however
 * often its client comes. Nothing is kept while no jail has `knownGood`. An agent that does not know
 * the fleet's jails yet keeps logins, because a jail may turn out to ask for them.
 */
import { dropOldest } from "../detection/attempts/bounded-map.ts";
import type { Reading } from "../detection/dovecot/reading.ts";
import { detached } from "../detection/lines/detached.ts";
import { knownAs } from "../policy/login-memory.ts";
import type { Address } from "../wire/address.ts";
import type { Jail } from "../wire/settings.ts";

export interface SeenLogins {
  /** Takes what one line of Dovecot's says. */
  note(reading: Reading): void;
  /** Takes the fleet's jails as they are now. */
  learn(jails: readonly Jail[]): void;
  /** Has somebody logged in from the address since then, epoch milliseconds? */
  hasLoggedIn(address: Address, since: number): boolean;
  /** At most `limit` logins that the fleet is to hear of; `at` in epoch milliseconds. */
  due(limit: number): SeenLogin[];
  /** The fleet knows of them. */
  reported(logins: readonly SeenLogin[]): void;
  /** The fleet has lost what it knew. */
  forgetReports(): void;
  /** Calls `listener` when a login becomes due. */
  onDue(listener: () => void): void;
}

export interface SeenLogin {
  address: Address;
  at: number;
}

interface Seen {
  at: number;
  /** When the fleet was told last, epoch milliseconds; undefined: never. */
  reportedAt: number | undefined;
}

/** Beyond that, the addresses that were seen longest ago are forgotten; some 150 bytes each. */
const MAX_ADDRESSES = 50_000;
/** The longest `within` that a jail may have. */
const LONGEST_MS = 2_592_000_000;
/** A login is reported again after this part of the shortest `within`. */
const AGAIN_PART = 1 / 8;

type Policy =
  /** The agent has not read the fleet's jails yet. */
  | { state: "unknown" }
  /** No jail has knownGood. */
  | { state: "off" }
  | { state: "on"; keptForMs: number; againAfterMs: number };

export function createSeenLogins(now: () => number): SeenLogins {
  const logins = new LoginsOfHost(now);
  return {
    note: (reading) => logins.note(reading),
    learn: (jails) => logins.learn(jails),
    hasLoggedIn: (address, since) => logins.hasLoggedIn(address, since),
    due: (limit) => logins.due(limit),
    reported: (reported) => logins.reported(reported),
    forgetReports: () => logins.forgetReports(),
    onDue: (listener) => void (logins.listen = listener),
  };
}

class LoginsOfHost {
  readonly #now: () => number;
  #policy: Policy = { state: "unknown" };
  /** In the order of the last logins. */
  readonly #seen = new Map<Address, Seen>();
  /** Addresses whose logins the fleet is to hear of. */
  readonly #due = new Set<Address>();
  listen = () => {};

  constructor(now: () => number) {
    this.#now = now;
  }

  note({ verdict, address, at }: Reading): void {
    if (this.#policy.state === "off" || verdict !== "success" || address === undefined) return;
    const now = this.#now();
    const loggedAt = Math.min(at ?? now, now);
    if (loggedAt > now - this.#keptForMs()) this.#add(knownAs(address), loggedAt);
  }

  learn(jails: readonly Jail[]): void {
    this.#policy = policyOf(jails);
    if (this.#policy.state === "off") {
      this.#seen.clear();
      this.#due.clear();
    }
    if (this.#due.size > 0) this.listen();
  }

  hasLoggedIn(address: Address, since: number): boolean {
    return (this.#seen.get(knownAs(address))?.at ?? -Infinity) >= since;
  }

  due(limit: number): SeenLogin[] {
    if (this.#policy.state !== "on") return [];
    const oldest = this.#now() - this.#keptForMs();
    const logins: SeenLogin[] = [];
    for (const address of this.#due) {
      if (logins.length === limit) break;
      const { at = -Infinity } = this.#seen.get(address) ?? {};
      if (at >= oldest) logins.push({ address, at });
      else this.#forget(address);
    }
    return logins;
  }

  reported(logins: readonly SeenLogin[]): void {
    for (const { address } of logins) {
      this.#due.delete(address);
      const login = this.#seen.get(address);
      if (login) login.reportedAt = this.#now();
    }
  }

  forgetReports(): void {
    for (const [address, login] of this.#seen) {
      login.reportedAt = undefined;
      this.#due.add(address);
    }
  }

  #add(address: Address, at: number): void {
    const before = this.#seen.get(address);
    const login = { at: Math.max(at, before?.at ?? at), reportedAt: before?.reportedAt };
    const key = before ? address : (detached(address) as Address);
    this.#seen.delete(key); // the Map keeps the order of insertion
    this.#seen.set(key, login);
    if (this.#seen.size > MAX_ADDRESSES) {
      dropOldest(this.#seen);
      for (const waiting of this.#due) if (!this.#seen.has(waiting)) this.#due.delete(waiting);
    }
    if (!this.#isToBeReported(login)) return;
    this.#due.add(key);
    if (this.#policy.state === "on") this.listen();
  }

  #forget(address: Address): void {
    this.#seen.delete(address);
    this.#due.delete(address);
  }

  #keptForMs(): number {
    return this.#policy.state === "on" ? this.#policy.keptForMs : LONGEST_MS;
  }

  #isToBeReported({ reportedAt }: Seen): boolean {
    if (reportedAt === undefined) return true;
    return this.#policy.state === "on" && this.#now() - reportedAt >= this.#policy.againAfterMs;
  }
}

function policyOf(jails: readonly Jail[]): Policy {
  const withins = jails.flatMap(({ knownGood }) => (knownGood ? [knownGood.within * 1000] : []));
  if (withins.length === 0) return { state: "off" };
  const againAfterMs = Math.min(...withins) * AGAIN_PART;
  return { state: "on", keptForMs: Math.max(...withins), againAfterMs };
}
