/**
 * The attempts that count for one address or network, in the order of their times, as columns of
 * equal length: a million addresses are tracked, and numbers side by side take little memory.
 */
import type { Address } from "../wire/address.ts";
import type { Attempted } from "./offence-rules.ts";
import { hashOfDomain, hashOfName } from "./tried-names.ts";

export interface NewAttempt {
  address: Address;
  /** Epoch milliseconds. */
  at: number;
  /** The name that was tried; undefined: not known. */
  user?: string | undefined;
}

/** Inserts in order, after equal times; returns the place. `host` is the host's number. */
export function insert(
  counted: Attempted,
  host: number,
  { at, address, user }: NewAttempt,
): number {
  const { times, hosts, addresses, users, domains } = counted;
  if (times.length === 0) {
    // Most addresses have one attempt: a push makes room for 16 more.
    counted.times = [at];
    counted.hosts = [host];
    if (addresses) counted.addresses = [address];
    if (users) counted.users = [hashOfName(user)];
    if (domains) counted.domains = [hashOfDomain(user)];
    return 0;
  }
  let place = times.length;
  while (place > 0 && (times[place - 1] ?? 0) > at) place -= 1;
  times.splice(place, 0, at);
  hosts.splice(place, 0, host);
  addresses?.splice(place, 0, address);
  users?.splice(place, 0, hashOfName(user));
  domains?.splice(place, 0, hashOfDomain(user));
  return place;
}

export function dropFirst(
  { times, hosts, addresses, users, domains }: Attempted,
  count: number,
): void {
  times.splice(0, count);
  hosts.splice(0, count);
  addresses?.splice(0, count);
  users?.splice(0, count);
  domains?.splice(0, count);
}

export function dropUpTo(counted: Attempted, until: number): void {
  const rest = counted.times.findIndex((time) => time > until);
  dropFirst(counted, rest < 0 ? counted.times.length : rest);
}

/** Of a network: drops the attempts of one address up to `until`. */
export function dropOfAddress(counted: Attempted, address: Address, until: number): void {
  const { times, addresses = [] } = counted;
  keepOnly(counted, (place) => addresses[place] !== address || (times[place] ?? 0) > until);
}

export function dropHost(counted: Attempted, host: number): void {
  const { hosts } = counted;
  if (hosts.includes(host)) keepOnly(counted, (place) => hosts[place] !== host);
}

/** Keeps the newest attempts that the host saw, at most `most` of them, after one was inserted. */
export function dropSurplus(counted: Attempted, host: number, most: number): void {
  const places = counted.hosts.flatMap((number, place) => (number === host ? [place] : []));
  if (places.length <= most) return;
  const oldest = places[0];
  keepOnly(counted, (place) => place !== oldest);
}

function keepOnly(counted: Attempted, isKept: (place: number) => boolean): void {
  const kept = (_: unknown, place: number) => isKept(place);
  const { times, hosts, addresses, users, domains } = counted;
  counted.times = times.filter(kept);
  counted.hosts = hosts.filter(kept);
  counted.addresses = addresses?.filter(kept);
  counted.users = users?.filter(kept);
  counted.domains = domains?.filter(kept);
}
