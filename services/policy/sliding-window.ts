/**
 * Who has failed how often: an exact sliding window per address, for one jail.
 *
 * An address is due for a ban when maxretry attempts lie within less than
 * findtime, by their own times, in whatever order they arrive; one that comes later
 * than a findtime after its successors no longer counts for certain. What a ban
 * has been decided on is spent: it never counts again, nor does anything older.
 *
 * Because no findtime holds maxretry attempts without a ban, an address never
 * has more than twice maxretry entries.
 */
import type { Address } from "../wire/address.ts";

export interface WindowOptions {
  maxretry: number;
  /** Milliseconds. */
  findtime: number;
  /** Asked once for an address that is not tracked: up to when its attempts do not count. */
  countedUntil?: (address: Address) => number;
}

/** What a ban is decided on. */
export interface Offence {
  address: Address;
  /** When the attempt was made that completed the window, epoch milliseconds. */
  at: number;
  /** When the first of the attempts was made. */
  since: number;
  /** Attempts per host. */
  hosts: Map<string, number>;
}

export interface Windows {
  /** Adds `attempts` that `host` saw at `at`; returns every offence that this completes. */
  add(address: Address, host: string, at: number, attempts: number): Offence[];
  /** Attempts up to `until` no longer count. */
  spend(address: Address, until: number): void;
  /** Forgets addresses whose attempts are all too old to matter at `now`. */
  sweep(now: number): void;
  readonly size: number;
}

interface Entry {
  /** Sorted. */
  times: number[];
  /** The host of each time, as its number. */
  hosts: number[];
  countedUntil: number;
}

export function createWindows({
  maxretry,
  findtime,
  countedUntil: countedBefore = () => -Infinity,
}: WindowOptions): Windows {
  const entries = new Map<Address, Entry>();
  const hostNumbers = new Map<string, number>();
  const hostNames: string[] = [];

  function numberOf(host: string): number {
    const known = hostNumbers.get(host);
    if (known !== undefined) return known;
    hostNumbers.set(host, hostNames.push(host) - 1);
    return hostNames.length - 1;
  }

  function entryOf(address: Address): Entry {
    const known = entries.get(address);
    if (known) return known;
    const made = { times: [], hosts: [], countedUntil: countedBefore(address) };
    entries.set(address, made);
    return made;
  }

  /** Inserts in order, after equal times; returns the place. */
  function insert(entry: Entry, at: number, host: number): number {
    const { times, hosts } = entry;
    if (times.length === 0) {
      // Most addresses have one attempt: a push makes room for 16 more.
      entry.times = [at];
      entry.hosts = [host];
      return 0;
    }
    let place = times.length;
    while (place > 0 && (times[place - 1] ?? 0) > at) place -= 1;
    times.splice(place, 0, at);
    hosts.splice(place, 0, host);
    return place;
  }

  /** The last place of `maxretry` neighbours within findtime, `place` among them; -1: none. */
  function completedBy({ times }: Entry, place: number): number {
    const last = Math.min(times.length - 1, place + maxretry - 1);
    for (let end = Math.max(place, maxretry - 1); end <= last; end += 1) {
      const span = (times[end] ?? 0) - (times[end - maxretry + 1] ?? 0);
      if (span < findtime) return end;
    }
    return -1;
  }

  function takeOffence(address: Address, entry: Entry, end: number): Offence {
    const begin = end - maxretry + 1;
    const at = entry.times[end] ?? 0;
    const since = entry.times[begin] ?? at;
    const hosts = new Map<string, number>();
    for (const number of entry.hosts.slice(begin, end + 1)) {
      const host = hostNames[number] ?? "";
      hosts.set(host, (hosts.get(host) ?? 0) + 1);
    }
    spend(entry, at);
    return { address, at, since, hosts };
  }

  function spend(entry: Entry, until: number): void {
    entry.countedUntil = Math.max(entry.countedUntil, until);
    const rest = entry.times.findIndex((time) => time > until);
    const count = rest < 0 ? entry.times.length : rest;
    entry.times.splice(0, count);
    entry.hosts.splice(0, count);
  }

  /** Older ones cannot lie in one window with anything that is still to come in time. */
  function forgetOld(entry: Entry): void {
    const newest = entry.times.at(-1) ?? 0;
    while ((entry.times[0] ?? newest) <= newest - 2 * findtime) {
      entry.times.shift();
      entry.hosts.shift();
    }
  }

  return {
    add(address, host, at, attempts) {
      const entry = entryOf(address);
      const offences: Offence[] = [];
      const number = numberOf(host);
      for (let count = 0; count < attempts; count += 1) {
        if (at <= entry.countedUntil) break;
        const end = completedBy(entry, insert(entry, at, number));
        if (end >= 0) offences.push(takeOffence(address, entry, end));
      }
      forgetOld(entry);
      return offences;
    },
    spend(address, until) {
      const entry = entries.get(address);
      if (entry) spend(entry, until);
    },
    sweep(now) {
      const horizon = now - 2 * findtime;
      for (const [address, { times, countedUntil }] of entries) {
        if ((times.at(-1) ?? -Infinity) < horizon && countedUntil < horizon)
          entries.delete(address);
      }
    },
    get size() {
      return entries.size;
    },
  };
}
