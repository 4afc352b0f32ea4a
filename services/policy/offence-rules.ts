/**
 * What of a jail makes an offence: enough attempts, user names or mail domains of one address
 * within findtime, or one decoy. A jail's rules are put together once, so that a failure costs
 * nothing for options that the jail does not have.
 */
import type { Address } from "../wire/address.ts";
import { countDifferent, hashOfName } from "./tried-names.ts";

/** The attempts of one address or network, sorted by time; each array has a place for each attempt. */
export interface Attempted {
  times: number[];
  /** The host of each attempt, as its number. */
  hosts: number[];
  /** Where user names count: a hash of each name, 0 for none. */
  users: number[] | undefined;
  /** Where mail domains count: a hash of each, 0 for none. */
  domains: number[] | undefined;
  /** Of a network: the address of each attempt. */
  addresses: Address[] | undefined;
}

/** Places of the attempts of an offence, the last one included. */
export interface Completed {
  begin: number;
  end: number;
  /**
   * "users": enough user names were tried. "domains": for enough mail domains. "decoy": a name was
   * tried that nobody has. undefined: attempts alone complete it.
   */
  rule?: "users" | "domains" | "decoy";
  /** With the rules users and domains: how many of them. */
  count?: number;
  /** With the rule decoy: the name. */
  decoy?: string;
  /** The address is known good, and this many times the usual count was needed. */
  factor?: number;
}

export interface RuleOptions {
  maxretry: number;
  /** Milliseconds. */
  findtime: number;
  users?: number | undefined;
  domains?: number | undefined;
  decoys?: readonly string[] | undefined;
  /** This many hosts must each have seen an attempt; undefined: one host. */
  minhosts?: number | undefined;
  /** With "local-first" the ban has fewer hosts in place of the offence. */
  quorum?: "strict" | "local-first" | undefined;
  /** Known-good addresses need `factor` times the count; `within` in seconds. */
  knownGood?: { factor: number; within: number } | undefined;
  /** Has somebody logged in from the address since then, epoch milliseconds? */
  hasLoggedIn?: ((address: Address, since: number) => boolean) | undefined;
}

/**
 * The first offence of `counted`, an address or a network, that the attempt at `place` is a part of;
 * undefined: there is none.
 */
export type FindOffence = (
  attempted: Attempted,
  place: number,
  user: string | undefined,
  counted: Address,
) => Completed | undefined;

/** Must several hosts have seen attempts before anybody is banned? */
export const needsHosts = ({ minhosts = 1, quorum }: RuleOptions): boolean =>
  minhosts > 1 && quorum !== "local-first";

/** Is a hash of every user name needed? */
export const needsNames = (options: RuleOptions): boolean =>
  options.users !== undefined || (needsHosts(options) && (options.decoys ?? []).length > 0);

/** The highest number of attempts of one host that an offence may need. */
export const mostNeeded = ({ maxretry, knownGood }: RuleOptions): number =>
  Math.ceil(maxretry * (knownGood?.factor ?? 1));

export function createRules(options: RuleOptions): FindOffence {
  const { knownGood, hasLoggedIn } = options;
  const find = createUsualRules(options);
  return knownGood && hasLoggedIn ? spareKnownGood(options, find) : find;
}

/**
 * A known-good address needs `factor` times as many attempts, user names or mail domains. Whether
 * an address is known good is asked only when the usual count is reached. A decoy bans at once.
 */
function spareKnownGood(options: RuleOptions, find: FindOffence): FindOffence {
  const { knownGood, hasLoggedIn, users, domains } = options;
  const { factor, within } = knownGood ?? { factor: 1, within: 0 };
  const findMore = createUsualRules({
    ...{ ...options, maxretry: mostNeeded(options) },
    users: users && Math.ceil(users * factor),
    domains: domains && Math.ceil(domains * factor),
  });
  return (attempted, place, user, counted) => {
    const completed = find(attempted, place, user, counted);
    if (!completed || completed.rule === "decoy") return completed;
    const { begin, end } = completed;
    const since = (attempted.times[end] ?? 0) - within * 1000;
    const failing = attempted.addresses?.slice(begin, end + 1) ?? [counted];
    if (!failing.some((address) => hasLoggedIn?.(address, since))) return completed;
    const more = findMore(attempted, place, user, counted);
    return more && more.rule !== "decoy" ? { ...more, factor } : more;
  };
}

function createUsualRules(options: RuleOptions): FindOffence {
  if (needsHosts(options)) return countOnHosts(options);
  const { users, domains, decoys = [] } = options;
  const hasNames = users !== undefined || domains !== undefined;
  const find = hasNames ? countAll(options) : countAttempts(options);
  return decoys.length > 0 ? findDecoys(new Set(decoys), find) : find;
}

/** `maxretry` neighbours within findtime. */
function countAttempts({ maxretry, findtime }: RuleOptions): FindOffence {
  return ({ times }, place) => {
    const last = Math.min(times.length - 1, place + maxretry - 1);
    for (let end = Math.max(place, maxretry - 1); end <= last; end += 1) {
      const begin = end - maxretry + 1;
      if ((times[end] ?? 0) - (times[begin] ?? 0) < findtime) return { begin, end };
    }
    return undefined;
  };
}

function findDecoys(decoys: ReadonlySet<string>, otherwise: FindOffence): FindOffence {
  return (attempted, place, user, counted) => {
    const name = user?.toLowerCase() ?? "";
    if (decoys.has(name)) return { begin: place, end: place, rule: "decoy", decoy: name };
    return otherwise(attempted, place, user, counted);
  };
}

/** The same, and user names and mail domains; what is complete first decides. */
function countAll(options: RuleOptions): FindOffence {
  const { maxretry, findtime } = options;
  const findNames = countNames(options);
  return (attempted, place) => {
    const { times } = attempted;
    for (let end = place; end < times.length; end += 1) {
      const begin = firstWithin(times, end, findtime);
      if (begin > place) return undefined;
      if (end - begin + 1 >= maxretry) return { begin: end - maxretry + 1, end };
      const names = findNames(attempted, begin, end);
      if (names) return names;
    }
    return undefined;
  };
}

/** The same of attempts that at least minhosts hosts have seen within findtime. */
function countOnHosts(options: RuleOptions): FindOffence {
  const { maxretry, findtime, minhosts = 1, decoys = [] } = options;
  const findNames = countNames(options);
  const decoyOf = new Map(decoys.map((name) => [hashOfName(name), name]));
  return (attempted, place) => {
    const { times, hosts, users = [] } = attempted;
    for (let end = place; end < times.length; end += 1) {
      const begin = firstWithin(times, end, findtime);
      if (begin > place) return undefined;
      if (new Set(hosts.slice(begin, end + 1)).size < minhosts) continue;
      const hash = users.slice(begin, end + 1).find((each) => decoyOf.has(each));
      const decoy = hash === undefined ? undefined : decoyOf.get(hash);
      if (decoy !== undefined) return { begin, end, rule: "decoy", decoy };
      if (end - begin + 1 >= maxretry) return { begin, end };
      const names = findNames(attempted, begin, end);
      if (names) return names;
    }
    return undefined;
  };
}

/** Enough user names or mail domains from `begin` to `end`? */
function countNames({ users = Infinity, domains = Infinity }: RuleOptions) {
  return (attempted: Attempted, begin: number, end: number): Completed | undefined => {
    const ofDomains = countDifferent(attempted.domains ?? [], begin, end);
    if (ofDomains >= domains) return { begin, end, rule: "domains", count: ofDomains };
    const ofUsers = countDifferent(attempted.users ?? [], begin, end);
    return ofUsers >= users ? { begin, end, rule: "users", count: ofUsers } : undefined;
  };
}

/** The first place whose attempt lies within findtime before that of `end`. */
function firstWithin(times: readonly number[], end: number, findtime: number): number {
  const oldest = (times[end] ?? 0) - findtime;
  let begin = end;
  while (begin > 0 && (times[begin - 1] ?? 0) > oldest) begin -= 1;
  return begin;
}
