/**
 * The last successful login of each address, by the host that has seen it. An address that has logged
 * in within a jail's `knownGood.within` is known good.
 *
 * Invariants:
 * - The memory is bounded. A host that reports ever new addresses makes the memory forget what that
 *   host has reported, and takes no room of other hosts until the whole is full.
 * - Where the whole is full, the host with the most addresses loses its oldest ones.
 */
import { familyOf, networkOf, type Address } from "../wire/address.ts";

/** A login, and the host that has seen it. */
export interface Login {
  host: string;
  /** Epoch milliseconds. */
  at: number;
}

export interface LoginMemory {
  note(host: string, address: Address, at: number): void;
  /** Has somebody logged in from the address since then, on a host that is not ignored? */
  hasLoggedIn(address: Address, since: number): boolean;
  /** The last login on each host that is not ignored, the newest first. */
  loginsOf(address: Address): Login[];
  /** Forgets logins before this instant. */
  sweep(before: number): void;
  /** Addresses, each counted once for every host. */
  readonly size: number;
}

export interface LoginMemoryOptions {
  perHost: number;
  total: number;
  /** What this host has reported does not count now; undefined: every host counts. */
  isIgnored?: (host: string) => boolean;
}

/** An IPv4 address itself; the /64 around an IPv6 address, because one client has all of it. */
export const knownAs = (address: Address): Address =>
  familyOf(address) === 4 ? address : networkOf(address, 64);

export function createLoginMemory(options: LoginMemoryOptions): LoginMemory {
  const { perHost, total, isIgnored = () => false } = options;
  /** The last login of each address, by host; the address that was noted longest ago comes first. */
  const hosts = new Map<string, Map<Address, number>>();
  let size = 0;

  function loginsOn(host: string): Map<Address, number> {
    const known = hosts.get(host);
    if (known) return known;
    const made = new Map<Address, number>();
    hosts.set(host, made);
    return made;
  }

  function* countedLogins(address: Address): Iterable<Login> {
    const known = knownAs(address);
    for (const [host, logins] of hosts) {
      const at = logins.get(known);
      if (at !== undefined && !isIgnored(host)) yield { host, at };
    }
  }

  return {
    note(host, address, at) {
      const logins = loginsOn(host);
      const known = knownAs(address);
      const before = logins.get(known);
      if (before !== undefined && logins.delete(known)) size -= 1;
      logins.set(known, Math.max(before ?? at, at));
      size += 1;
      if (logins.size > perHost) size -= forgetOldest(logins);
      else if (size > total) size -= forgetOldest(largestOf(hosts.values()));
    },
    hasLoggedIn(address, since) {
      for (const { at } of countedLogins(address)) if (at >= since) return true;
      return false;
    },
    loginsOf: (address) => [...countedLogins(address)].sort((a, b) => b.at - a.at),
    sweep(before) {
      for (const [host, logins] of hosts) {
        for (const [address, at] of logins) {
          if (at < before && logins.delete(address)) size -= 1;
        }
        if (logins.size === 0) hosts.delete(host);
      }
    },
    get size() {
      return size;
    },
  };
}

/**
 * Forgets a quarter at once, because a Map that loses its first entry walks over those that it lost
 * before. Returns how many logins were forgotten.
 */
function forgetOldest(logins: Map<Address, number>): number {
  const count = Math.ceil(logins.size / 4);
  let left = count;
  for (const address of logins.keys()) {
    if (left-- === 0) break;
    logins.delete(address);
  }
  return count;
}

function largestOf<K, V>(maps: Iterable<Map<K, V>>): Map<K, V> {
  return [...maps].reduce((a, b) => (b.size > a.size ? b : a));
}
