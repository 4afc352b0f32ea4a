/**
 * Counts how often each address or network has failed, in an exact sliding window, for one jail.
 *
 * An address is due for a ban when maxretry attempts lie within less than findtime, by the times of
 * the attempts, in whatever order they arrive. An attempt that arrives more than a findtime after
 * its successors may no longer count. Attempts that a ban covers never count again, and older
 * attempts neither.
 *
 * Because no findtime holds maxretry attempts without a ban, an address never
 * has more than twice maxretry entries.
 */
import { isNetwork, type Address } from "../wire/address.ts";

export interface WindowOptions {
  maxretry: number;
  /** Milliseconds. */
  findtime: number;
  /** Asked once for an address that is not tracked: up to when its attempts do not count. */
  countedUntil?: (address: Address) => number;
  /** So many different user names within findtime are an offence, too; undefined: never. */
  users?: number | undefined;
  /** User names in lower case: an attempt with one of them is an offence by itself. */
  decoys?: readonly string[] | undefined;
}

/** Attempts of one address. */
export interface Attempts {
  address: Address;
  /** Epoch milliseconds. */
  at: number;
  attempts: number;
  /** The name that was tried; undefined: not known. */
  user?: string | undefined;
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
   * "decoy": a name was tried that nobody has. undefined: attempts or bans complete it.
   */
  rule?: "network" | "users" | "decoy";
  /** With the rule users: how many names were tried. */
  users?: number;
  /** With the rule decoy: the name. */
  decoy?: string;
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

interface Entry {
  /** Sorted. */
  times: number[];
  /** The host of each time, as its number. */
  hosts: number[];
  /** Of a network: the address of each time. */
  addresses: Address[] | undefined;
  /** Where user names count: a hash of the name of each time, 0 for none. */
  users: number[] | undefined;
  countedUntil: number;
}

/** Places of the attempts of an offence, the last one included. */
interface Completed {
  begin: number;
  end: number;
}

export function createWindows({
  maxretry,
  findtime,
  countedUntil: countedBefore = () => -Infinity,
  users: usersNeeded,
  decoys,
}: WindowOptions): Windows {
  const decoyNames = new Set(decoys);
  const areNamesWatched = usersNeeded !== undefined || decoyNames.size > 0;
  const entries = new Map<Address, Entry>();
  const hostNumbers = new Map<string, number>();
  const hostNames: string[] = [];

  function numberOf(host: string): number {
    const known = hostNumbers.get(host);
    if (known !== undefined) return known;
    hostNumbers.set(host, hostNames.push(host) - 1);
    return hostNames.length - 1;
  }

  function entryOf(counted: Address): Entry {
    const known = entries.get(counted);
    if (known) return known;
    const addresses = isNetwork(counted) ? [] : undefined;
    const users = usersNeeded === undefined ? undefined : [];
    const made = { times: [], hosts: [], addresses, users, countedUntil: countedBefore(counted) };
    entries.set(counted, made);
    return made;
  }

  /** Inserts in order, after equal times; returns the place. */
  function insert(entry: Entry, host: number, { at, address, user }: Attempts): number {
    const { times, hosts, addresses, users } = entry;
    if (times.length === 0) {
      // Most addresses have one attempt: a push makes room for 16 more.
      entry.times = [at];
      entry.hosts = [host];
      if (addresses) entry.addresses = [address];
      if (users) entry.users = [hashOf(user)];
      return 0;
    }
    let place = times.length;
    while (place > 0 && (times[place - 1] ?? 0) > at) place -= 1;
    times.splice(place, 0, at);
    hosts.splice(place, 0, host);
    addresses?.splice(place, 0, address);
    users?.splice(place, 0, hashOf(user));
    return place;
  }

  /** `maxretry` neighbours within findtime, `place` among them. */
  function completedBy({ times }: Entry, place: number): Completed | undefined {
    const last = Math.min(times.length - 1, place + maxretry - 1);
    for (let end = Math.max(place, maxretry - 1); end <= last; end += 1) {
      const begin = end - maxretry + 1;
      if ((times[end] ?? 0) - (times[begin] ?? 0) < findtime) return { begin, end };
    }
    return undefined;
  }

  /** The first neighbours within findtime with so many user names, `place` among them. */
  function sprayedBy({ times, users = [] }: Entry, place: number): Completed | undefined {
    for (let end = place; end < times.length; end += 1) {
      const oldest = (times[end] ?? 0) - findtime;
      const begin = times.findIndex((time) => time > oldest);
      if (begin > place) return undefined;
      if (countNames(users.slice(begin, end + 1)) >= (usersNeeded ?? Infinity)) {
        return { begin, end };
      }
    }
    return undefined;
  }

  /** The offence of the attempt at `place` by the name that it tried, if it ends before `before`. */
  function takeNames(
    counted: Address,
    entry: Entry,
    { place, before }: { place: number; before: number },
    user: string | undefined,
  ): Offence | undefined {
    const name = user?.toLowerCase() ?? "";
    if (decoyNames.has(name)) {
      const offence = takeOffence(counted, entry, { begin: place, end: place });
      return { ...offence, rule: "decoy", decoy: name };
    }
    const sprayed = entry.users && sprayedBy(entry, place);
    if (!sprayed || sprayed.end >= before) return undefined;
    const users = countNames(entry.users?.slice(sprayed.begin, sprayed.end + 1) ?? []);
    return { ...takeOffence(counted, entry, sprayed), rule: "users", users };
  }

  function takeOffence(counted: Address, entry: Entry, { begin, end }: Completed): Offence {
    const at = entry.times[end] ?? 0;
    const since = entry.times[begin] ?? at;
    const places = [begin, end + 1] as const;
    const hosts = countEach(entry.hosts.slice(...places).map((number) => hostNames[number] ?? ""));
    const addresses = entry.addresses && countEach(entry.addresses.slice(...places));
    spend(entry, at);
    return { address: counted, at, since, hosts, ...(addresses && { addresses }) };
  }

  function spend(entry: Entry, until: number): void {
    entry.countedUntil = Math.max(entry.countedUntil, until);
    const rest = entry.times.findIndex((time) => time > until);
    const count = rest < 0 ? entry.times.length : rest;
    dropFirst(entry, count);
  }

  function dropFirst({ times, hosts, addresses, users }: Entry, count: number): void {
    times.splice(0, count);
    hosts.splice(0, count);
    addresses?.splice(0, count);
    users?.splice(0, count);
  }

  function spendOf(entry: Entry, address: Address, until: number): void {
    const { times, hosts, addresses = [] } = entry;
    const isKept = (_: unknown, place: number) =>
      addresses[place] !== address || (times[place] ?? 0) > until;
    entry.times = times.filter(isKept);
    entry.hosts = hosts.filter(isKept);
    entry.addresses = addresses.filter(isKept);
    entry.users = entry.users?.filter(isKept);
  }

  function dropHost(entry: Entry, host: number): void {
    const { times, hosts, addresses } = entry;
    if (!hosts.includes(host)) return;
    const isKept = (_: unknown, place: number) => hosts[place] !== host;
    entry.times = times.filter(isKept);
    entry.hosts = hosts.filter(isKept);
    entry.addresses = addresses?.filter(isKept);
    entry.users = entry.users?.filter(isKept);
  }

  /** Older ones cannot lie in one window with anything that is still to come in time. */
  function forgetOld(entry: Entry): void {
    const newest = entry.times.at(-1) ?? 0;
    while ((entry.times[0] ?? newest) <= newest - 2 * findtime) dropFirst(entry, 1);
  }

  return {
    add(counted, host, given) {
      const { at, attempts } = given;
      const entry = entryOf(counted);
      const offences: Offence[] = [];
      const number = numberOf(host);
      for (let count = 0; count < attempts; count += 1) {
        if (at <= entry.countedUntil) break;
        const place = insert(entry, number, given);
        const completed = completedBy(entry, place);
        // What came first decides: names that lie before the last of maxretry attempts.
        const before = completed?.end ?? Infinity;
        const named = areNamesWatched && takeNames(counted, entry, { place, before }, given.user);
        if (named) offences.push(named);
        else if (completed) offences.push(takeOffence(counted, entry, completed));
      }
      forgetOld(entry);
      return offences;
    },
    spend(counted, until) {
      const entry = entries.get(counted);
      if (entry) spend(entry, until);
    },
    spendOf(network, address, until) {
      const entry = entries.get(network);
      if (entry?.addresses) spendOf(entry, address, until);
    },
    forgetHost(host) {
      const number = hostNumbers.get(host);
      if (number === undefined) return;
      for (const entry of entries.values()) dropHost(entry, number);
    },
    sweep(now) {
      const horizon = now - 2 * findtime;
      for (const [counted, { times, countedUntil }] of entries) {
        if ((times.at(-1) ?? -Infinity) < horizon && countedUntil < horizon)
          entries.delete(counted);
      }
    },
    get size() {
      return entries.size;
    },
  };
}

/** How often each of them is among `values`. */
function countEach<T>(values: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

const countNames = (hashes: readonly number[]): number =>
  new Set(hashes.filter((hash) => hash !== 0)).size;

/** FNV-1a of the name in lower case, as Dovecot has names; 0: there is none. */
function hashOf(user: string | undefined): number {
  if (user === undefined || user === "") return 0;
  let hash = 0x811c9dc5;
  for (const character of user.toLowerCase()) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  return hash === 0 ? 1 : hash;
}
