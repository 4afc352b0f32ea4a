/**
 * Counts how often each address or network has failed, in an exact sliding window, for one jail.
 *
 * An address is due for a ban when maxretry attempts lie within less than findtime, by the times of
 * the attempts, in whatever order they arrive. An attempt that arrives more than a findtime after
 * its successors may no longer count. Attempts that a ban covers never count again, and older
 * attempts neither.
 *
 * Because no findtime holds maxretry attempts without a ban, an address never has more than twice
 * maxretry entries; where known-good addresses need a higher count, twice that count. Where several
 * hosts must have seen an address, it has at most that of each of them: as many newer attempts of
 * the same host stand for the older ones.
 */
import { isNetwork, type Address } from "../wire/address.ts";
import {
  dropFirst,
  dropHost,
  dropOfAddress,
  dropSurplus,
  dropUpTo,
  insert,
  type NewAttempt,
} from "./counted-attempts.ts";
import { createHostNumbers, type HostNumbers } from "./host-numbers.ts";
import {
  createRules,
  mostNeeded,
  needsHosts,
  needsNames,
  type Attempted,
  type Completed,
  type RuleOptions,
} from "./offence-rules.ts";

export interface WindowOptions extends RuleOptions {
  /** Asked once for an address that is not tracked: up to when its attempts do not count. */
  countedUntil?: (address: Address) => number;
}

/** Attempts of one address. */
export interface Attempts extends NewAttempt {
  attempts: number;
}

/** Enough attempts of one address or network within findtime: the reason of a ban. */
export interface Offence {
  /** The address, or the network that its addresses count together for. */
  address: Address;
  /** When the attempt was made that completed the window, epoch milliseconds. */
  at: number;
  /** When the first of the attempts was made. */
  since: number;
  /** Attempts per host. */
  hosts: Map<string, number>;
  /** Of a network: attempts per address. */
  addresses?: Map<Address, number>;
  /**
   * "network": enough addresses of the network are banned. "users": enough user names were tried.
   * "domains": for enough mail domains. "decoy": a name was tried that nobody has. undefined:
   * attempts or bans complete it. "confirmed": another host has seen what one host was banned on.
   */
  rule?: "network" | "users" | "domains" | "decoy" | "confirmed";
  /** With the rules users and domains: how many of them were tried. */
  count?: number;
  /** With the rule decoy: the name. */
  decoy?: string;
  /** The address is known good, and this many times the usual count was needed. */
  factor?: number;
  /** Where bans are counted: bans per jail. */
  bans?: Map<string, number>;
}

export interface Windows {
  /**
   * Adds attempts that `host` saw to those of `counted`, which is their address or its network;
   * returns every offence that they complete.
   */
  add(counted: Address, host: string, attempts: Attempts): Offence[];
  /** Attempts up to `until` no longer count. */
  spend(counted: Address, until: number): void;
  /** Of a network: attempts of `address` up to `until` no longer count. */
  spendOf(network: Address, address: Address, until: number): void;
  /** Attempts that `host` saw no longer count. */
  forgetHost(host: string): void;
  /** Forgets addresses whose attempts are all too old to matter at `now`. */
  sweep(now: number): void;
  readonly size: number;
}

interface Entry extends Attempted {
  countedUntil: number;
}

export function createWindows(options: WindowOptions): Windows {
  return new AttemptWindows(options);
}

class AttemptWindows implements Windows {
  readonly #options: WindowOptions;
  /** Attempts of one host that an offence can need. */
  readonly #mostOfHost: number;
  readonly #hasNames: boolean;
  readonly #isOfHosts: boolean;
  readonly #findOffence: ReturnType<typeof createRules>;
  readonly #entries = new Map<Address, Entry>();
  readonly #hostNumbers = createHostNumbers();

  constructor(options: WindowOptions) {
    this.#options = options;
    this.#mostOfHost = mostNeeded(options);
    this.#hasNames = needsNames(options);
    this.#isOfHosts = needsHosts(options);
    this.#findOffence = createRules(options);
  }

  get size(): number {
    return this.#entries.size;
  }

  add(counted: Address, host: string, given: Attempts): Offence[] {
    const { at, attempts } = given;
    const entry = this.#entryOf(counted);
    const offences: Offence[] = [];
    const number = this.#hostNumbers.numberOf(host);
    for (let count = 0; count < attempts; count += 1) {
      if (at <= entry.countedUntil) break;
      const place = insert(entry, number, given);
      const completed = this.#findOffence(entry, place, given.user, counted);
      if (completed) {
        const offence = offenceOf(counted, entry, completed, this.#hostNumbers);
        spend(entry, offence.at);
        offences.push(offence);
      } else if (this.#isOfHosts) dropSurplus(entry, number, this.#mostOfHost);
    }
    forgetOld(entry, this.#options.findtime);
    return offences;
  }

  spend(counted: Address, until: number): void {
    const entry = this.#entries.get(counted);
    if (entry) spend(entry, until);
  }

  spendOf(network: Address, address: Address, until: number): void {
    const entry = this.#entries.get(network);
    if (entry?.addresses) dropOfAddress(entry, address, until);
  }

  forgetHost(host: string): void {
    const number = this.#hostNumbers.find(host);
    if (number === undefined) return;
    for (const entry of this.#entries.values()) dropHost(entry, number);
  }

  sweep(now: number): void {
    const horizon = now - 2 * this.#options.findtime;
    for (const [counted, { times, countedUntil }] of this.#entries) {
      const isOld = (times.at(-1) ?? -Infinity) < horizon && countedUntil < horizon;
      if (isOld) this.#entries.delete(counted);
    }
  }

  #entryOf(counted: Address): Entry {
    const known = this.#entries.get(counted);
    if (known) return known;
    const entry: Entry = {
      times: [],
      hosts: [],
      addresses: isNetwork(counted) ? [] : undefined,
      users: this.#hasNames ? [] : undefined,
      domains: this.#options.domains === undefined ? undefined : [],
      countedUntil: this.#options.countedUntil?.(counted) ?? -Infinity,
    };
    this.#entries.set(counted, entry);
    return entry;
  }
}

function offenceOf(
  counted: Address,
  entry: Entry,
  { begin, end, ...how }: Completed,
  hostNumbers: HostNumbers,
): Offence {
  const at = entry.times[end] ?? 0;
  const since = entry.times[begin] ?? at;
  const places = [begin, end + 1] as const;
  const names = entry.hosts.slice(...places).map((number) => hostNumbers.nameOf(number));
  const addresses = entry.addresses && countEach(entry.addresses.slice(...places));
  return {
    address: counted,
    at,
    since,
    hosts: countEach(names),
    ...(addresses && { addresses }),
    ...how,
  };
}

function spend(entry: Entry, until: number): void {
  entry.countedUntil = Math.max(entry.countedUntil, until);
  dropUpTo(entry, until);
}

/** Older ones cannot lie in one window with anything that is still to come in time. */
function forgetOld(entry: Entry, findtime: number): void {
  const newest = entry.times.at(-1) ?? 0;
  while ((entry.times[0] ?? newest) <= newest - 2 * findtime) dropFirst(entry, 1);
}

/** How often each of them is among `values`. */
function countEach<T>(values: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}
