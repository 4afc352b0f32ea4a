/**
 * What a ban becomes when something happens to it. Pure: the present state comes
 * in, the next goes out, undefined when nothing is to be written.
 *
 * The longest wins; for ever beats everything; an end that has passed is no ban.
 */
import { isHeld, isInForce, type Ban } from "../wire/ban.ts";
import type { Jail } from "../wire/settings.ts";
import type { Address } from "../wire/address.ts";
import type { Offence } from "./sliding-window.ts";
import { formatDuration } from "../config/duration.ts";

/** Facts that every change carries: when it is made, and a name for it. */
export interface Change {
  now: number;
  id: string;
}

/** The ban that `offence` has earned. The same offence told again changes nothing. */
export function banForOffence(
  present: Ban | undefined,
  jail: Jail,
  offence: Offence,
  { now, id }: Change,
): Ban | undefined {
  const until = endOf(offence.at, jail.bantime);
  if (until !== null && until <= now) return undefined;
  // Spent before: this very ban, or one that was given or lifted since, has covered it.
  if (present && (present.countedUntil ?? 0) >= offence.at) return undefined;
  if (present?.state === "lifted" && (present.immuneUntil ?? 0) > offence.at) return undefined;
  const isBanned = present !== undefined && isInForce(present, now);
  if (isBanned && !isLonger(until, present.until)) return undefined;
  return {
    v: 1,
    change: id,
    jail: jail.name,
    address: offence.address,
    state: "active",
    startsAt: isBanned ? present.startsAt : now,
    until,
    changedAt: now,
    reason: describe(offence),
    offence: offenceNumber(present, now),
    evidence: [...offence.hosts].map(([host, failures]) => ({ host, failures })),
    ...(offence.addresses && { basis: { addresses: addressesOf(offence.addresses) } }),
    by: "decider",
    immuneUntil: null,
    countedUntil: offence.at,
  };
}

export interface OperatorBan {
  jail: Jail;
  address: Address;
  /** null: for ever; undefined: the jail's bantime. */
  seconds: number | null | undefined;
  reason: string;
  by: string;
  replace: boolean;
}

export function banByOperator(
  present: Ban | undefined,
  order: OperatorBan,
  { now, id }: Change,
): Ban | undefined {
  const seconds = order.seconds === undefined ? order.jail.bantime : order.seconds;
  const until = endOf(now, seconds);
  const isBanned = present !== undefined && isInForce(present, now);
  if (isBanned && !order.replace && !isLonger(until, present.until)) return undefined;
  return {
    v: 1,
    change: id,
    jail: order.jail.name,
    address: order.address,
    state: "active",
    startsAt: isBanned ? present.startsAt : now,
    until,
    changedAt: now,
    reason: order.reason,
    offence: offenceNumber(present, now),
    evidence: isBanned ? present.evidence : [],
    ...(isBanned && present.basis && { basis: present.basis }),
    by: order.by,
    immuneUntil: null,
    countedUntil: present?.countedUntil ?? null,
  };
}

/** Ends a ban before its time; `immunity` seconds of failures after it do not count. */
export function liftBan(
  present: Ban,
  { by, reason, immunity }: { by: string; reason: string; immunity: number },
  { now, id }: Change,
): Ban {
  return {
    ...present,
    change: id,
    state: "lifted",
    changedAt: now,
    reason,
    by,
    immuneUntil: endOf(now, immunity) ?? LAST_INSTANT,
  };
}

/** Notes that a ban's time is over; undefined while it is not. */
export function expireBan(present: Ban, { now, id }: Change): Ban | undefined {
  const hasTime = present.state === "active" || present.state === "held";
  if (!hasTime || isInForce(present, now) || isHeld(present, now)) return undefined;
  return { ...present, change: id, state: "expired", changedAt: now, by: "decider" };
}

/** May the entry be forgotten? Nothing that replays could bring the ban back. */
export function isOver(ban: Ban, now: number, longestFindtime: number): boolean {
  if (ban.state === "active" || ban.state === "held") return false;
  const rest = Math.max(ban.changedAt, ban.immuneUntil ?? 0);
  return rest + 2 * longestFindtime * 1000 < now;
}

/** ISO 8601 has four digits for a year: who reads a later instant refuses the whole message. */
const LAST_INSTANT = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** What would end after that never ends. */
function endOf(start: number, seconds: number | null): number | null {
  if (seconds === null) return null;
  const end = Math.round(start + seconds * 1000);
  return end > LAST_INSTANT ? null : end;
}

function isLonger(until: number | null, than: number | null): boolean {
  if (than === null) return false;
  return until === null || until > than;
}

function offenceNumber(present: Ban | undefined, now: number): number {
  if (!present) return 1;
  return isInForce(present, now) ? present.offence : present.offence + 1;
}

const addressesOf = (addresses: ReadonlyMap<Address, number>) =>
  [...addresses].map(([address, failures]) => ({ address, failures }));

function describe({ at, since, hosts, addresses }: Offence): string {
  const failures = [...hosts.values()].reduce((sum, count) => sum + count, 0);
  const of = addresses ? ` of ${formatCount(addresses.size, "address", "addresses")}` : "";
  const on = formatCount(hosts.size, "host", "hosts");
  const within = formatDuration(Math.ceil((at - since) / 1000));
  return `${failures} failures${of} on ${on} within ${within}`;
}

const formatCount = (count: number, one: string, many: string) =>
  count === 1 ? `1 ${one}` : `${count} ${many}`;
