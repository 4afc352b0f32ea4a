/**
 * What a ban becomes when something happens to it. Pure: the present state comes
 * in, the next goes out, undefined when nothing is to be written.
 *
 * The longest wins; for ever beats everything; an end that has passed is no ban.
 */
import { countedUntil, isDue, isInForce, isLonger, isShadow, type Ban } from "../wire/ban.ts";
import type { Jail } from "../wire/settings.ts";
import type { Address } from "../wire/address.ts";
import { bansBefore, rememberStarts, type Change } from "./ban-memory.ts";
import { banSeconds, describeGrowth, endOf, fractionOf, LAST_INSTANT } from "./ban-time.ts";
import { orderIn, withOrder, type Order } from "./operator-order.ts";
import { addEvidence, hostsOfBan, widens } from "./quorum.ts";
import { bringBack, isSpared } from "./spared-ban.ts";
import type { Offence } from "./sliding-window.ts";
import { count } from "../config/count.ts";
import { formatDuration } from "../config/duration.ts";

/** The ban that `offence` has earned. The same offence a second time changes nothing. */
export function banForOffence(
  entry: Ban | undefined,
  jail: Jail,
  offence: Offence,
  change: Change,
): Ban | undefined {
  const { now, id } = change;
  const present = unspared(entry, change);
  const before = bansBefore(present, change);
  const { until, seconds } = termOf(present, jail, offence, change);
  if (until !== null && until <= now) return undefined;
  // Covered already: by this very ban, or by one that was given or lifted since.
  if (present && countedUntil(present) >= offence.at) return undefined;
  const isBanned = present !== undefined && isInForce(present, now);
  const extended = isBanned ? present : undefined;
  if (offence.rule === "confirmed" && !extended?.hosts) return undefined;
  if (extended && !extended.hosts && !isLonger(until, extended.until)) return undefined;
  // An address whose ban is a shadow would not have come so far.
  if (jail.shadow && present && (isBanned || isShadow(present, now))) return undefined;
  const hosts = hostsOfBan(extended, jail, offence);
  const isConfirmed = extended !== undefined && widens({ hosts }, extended);
  const evidence = extended?.hosts ? addEvidence(extended.evidence, offence.hosts) : offence.hosts;
  return {
    v: 1,
    change: id,
    jail: jail.name,
    address: offence.address,
    ...(jail.shadow
      ? { state: "shadow", held: `jail ${jail.name} is in shadow mode` }
      : { state: "active" }),
    ...(hosts && { hosts }),
    startsAt: isBanned ? present.startsAt : now,
    until: extended && !isLonger(until, extended.until) ? extended.until : until,
    changedAt: now,
    reason: describe(offence) + describeGrowth(jail, before + (change.elsewhere ?? 0), seconds),
    offence: before + 1,
    evidence: mostOf(evidence).map(([host, failures]) => ({ host, failures })),
    ...withOrder(
      basisOf(isConfirmed ? { ...offence, rule: "confirmed" } : offence),
      extended && orderIn(extended),
    ),
    ...(change.policyVersion !== undefined && { policyVersion: change.policyVersion }),
    ...earlierOf(present, change),
    ...(change.completedBy && { completedBy: change.completedBy }),
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
  entry: Ban | undefined,
  order: OperatorBan,
  change: Change,
): Ban | undefined {
  const { now, id } = change;
  const present = unspared(entry, change);
  const before = bansBefore(present, change);
  const usual = () => banSeconds(order.jail, before + (change.elsewhere ?? 0), fractionOf(id));
  const seconds = order.seconds === undefined ? usual() : order.seconds;
  const until = endOf(now, seconds);
  const isBanned = present !== undefined && isInForce(present, now);
  const isShorter = isBanned && !order.replace && !isLonger(until, present.until);
  // A ban on some hosts alone becomes one on every host, and keeps its end.
  if (isShorter && !present.hosts) return present === entry ? undefined : present;
  return {
    v: 1,
    change: id,
    jail: order.jail.name,
    address: order.address,
    state: "active",
    startsAt: isBanned ? present.startsAt : now,
    until: isShorter ? present.until : until,
    changedAt: now,
    reason: order.reason,
    offence: before + 1,
    ...(isBanned ? besideFailures(present, { until, by: order.by, reason: order.reason }) : BARE),
    ...earlierOf(present, change),
    by: order.by,
    immuneUntil: null,
    countedUntil: answeredUntil(present, order, now),
  };
}

const BARE = { evidence: [] };

/** What an operator's ban keeps of the one in force that it takes the place of. */
function besideFailures({ evidence, basis }: Ban, order: Order): Pick<Ban, "evidence" | "basis"> {
  return { evidence, ...(evidence.length > 0 && withOrder(basis, order)) };
}

/**
 * Up to when failures are answered once the operator's ban stands. A replacement answers all of
 * them: its end is the operator's, whoever reads them again. An unban's immunity ends with the new
 * ban, and what it has forgiven stays forgiven.
 */
function answeredUntil(
  present: Ban | undefined,
  { replace }: OperatorBan,
  now: number,
): number | null {
  if (replace) return now;
  const forgiven = present?.state === "lifted" ? Math.min(present.immuneUntil ?? 0, now) : 0;
  return Math.max(present?.countedUntil ?? 0, forgiven) || null;
}

/** A ban that the allowlist has lifted counts as the ban that it was: an entry may just have gone. */
function unspared(entry: Ban | undefined, change: Change): Ban | undefined {
  return entry && (bringBack(entry, change) ?? entry);
}

/** Ends a ban before its time; `immunity` seconds of failures after it do not count. */
export function liftBan(
  present: Ban,
  { by, reason, immunity }: { by: string; reason: string; immunity: number },
  { now, id }: Change,
): Ban {
  return {
    ...ofItsEnd(present),
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
  if (isEnded(present) || isDue(present, now)) return undefined;
  return { ...ofItsEnd(present), change: id, state: "expired", changedAt: now, by: "decider" };
}

/** A ban that has ended says why it was not in force only where it was in force nowhere. */
const ofItsEnd = (present: Ban): Ban =>
  present.state === "active" ? withoutReason(present) : present;

/** A ban of which nothing is held has no reason why it is. */
export function withoutReason(present: Ban): Ban {
  const ban = { ...present };
  delete ban.held;
  return ban;
}

/**
 * May the entry be forgotten? Nothing that replays could bring the ban back, and what it remembers
 * matters no more, `keptSeconds` after its end.
 */
export function isOver(
  ban: Ban,
  now: number,
  longestFindtime: number,
  keptSeconds: number,
): boolean {
  if (!isEnded(ban) || isSpared(ban, now)) return false;
  return restsSince(ban) + rememberedMs(longestFindtime, keptSeconds) < now;
}

/** For how long after that a ban at rest is remembered, in milliseconds. */
export const rememberedMs = (longestFindtime: number, keptSeconds: number): number =>
  Math.max(2 * longestFindtime, keptSeconds) * 1000;

/** Since when a ban that has ended changes nothing any more. */
export const restsSince = ({ changedAt, immuneUntil }: Ban): number =>
  Math.max(changedAt, immuneUntil ?? 0);

export const isEnded = ({ state }: Ban): boolean => state === "lifted" || state === "expired";

/** Would the ban of this offence be over by now? */
export function isOffenceOver(
  present: Ban | undefined,
  jail: Jail,
  offence: Offence,
  change: Change,
): boolean {
  const { until } = termOf(present, jail, offence, change);
  return until !== null && until <= change.now;
}

/** When the ban of an offence ends, and how long it lasts. */
function termOf(
  present: Ban | undefined,
  jail: Jail,
  offence: Offence,
  change: Change,
): { until: number | null; seconds: number | null } {
  const before = bansBefore(present, change) + (change.elsewhere ?? 0);
  const seconds = banSeconds(jail, before, fractionOf(change.id));
  return { seconds, until: endOf(offence.at, seconds) };
}

function earlierOf(present: Ban | undefined, change: Change): { earlier?: number[] } {
  const isBanned = present !== undefined && isInForce(present, change.now);
  const earlier = isBanned ? present.earlier : rememberStarts(present, change);
  return earlier ? { earlier } : {};
}

/** A message holds no more than this; the hosts and addresses with the most failures stay. */
const MAX_EVIDENCE = 100;

const mostOf = <T>(counts: ReadonlyMap<T, number>): [T, number][] =>
  counts.size <= MAX_EVIDENCE
    ? [...counts]
    : [...counts].sort(([, a], [, b]) => b - a).slice(0, MAX_EVIDENCE);

function basisOf({ addresses, bans, rule, factor }: Offence): Ban["basis"] {
  if (!addresses && !bans && !rule && factor === undefined) return undefined;
  return {
    ...(rule && { rule }),
    ...(factor !== undefined && { knownGood: factor }),
    ...(addresses && {
      addresses: mostOf(addresses).map(([address, failures]) => ({ address, failures })),
    }),
    ...(bans && { bans: mostOf(bans).map(([jail, times]) => ({ jail, bans: times })) }),
  };
}

function describe(offence: Offence): string {
  const text = describeCount(offence);
  return offence.factor === undefined ? text : `${text}, known good`;
}

function describeCount(offence: Offence): string {
  const { at, since, hosts, addresses, bans, rule } = offence;
  if (rule === "network") return describeNetwork(offence);
  if (rule === "confirmed") return `confirmed by a failure on ${[...hosts.keys()].join(", ")}`;
  const sum = [...hosts.values()].reduce((total, each) => total + each, 0);
  const failures = count(sum, "failure");
  const of = addresses ? ` of ${count(addresses.size, "address", "addresses")}` : "";
  const on = count(hosts.size, "host");
  const within = describeSpan(at - since);
  if (rule === "decoy") return `tried the decoy user ${offence.decoy ?? ""} on ${on}`.slice(0, 256);
  if (rule === "users" || rule === "domains") {
    const tried = `${offence.count ?? 0} ${rule === "users" ? "user names" : "mail domains"}`;
    return `${tried} in ${failures}${of} on ${on} within ${within}`;
  }
  if (bans) {
    const all = [...bans.values()].reduce((total, each) => total + each, 0);
    return `${count(all, "ban")} in ${count(bans.size, "jail")} within ${within}`;
  }
  return `${failures}${of} on ${on} within ${within}`;
}

/** At least a second: failures of one moment are "within 1s". */
const describeSpan = (ms: number): string => formatDuration(Math.max(Math.ceil(ms / 1000), 1));

function describeNetwork({ at, since, hosts, addresses }: Offence): string {
  const on = count(hosts.size, "host");
  const within = describeSpan(at - since);
  return `${addresses?.size ?? 0} banned addresses on ${on} within ${within}`;
}
