/**
 * What of a jail makes an offence: enough attempts, user names or mail domains of one address
 * within findtime. A jail's rules are put together once, so that a failure costs nothing for
 * options that the jail does not have.
 */
import { countDifferent } from "./tried-names.ts";

/** The attempts of one address or network, sorted by time; each array has a place for each attempt. */
export interface Attempted {
  times: number[];
  /** The host of each attempt, as its number. */
  hosts: number[];
  /** Where user names count: a hash of each name, 0 for none. */
  users: number[] | undefined;
  /** Where mail domains count: a hash of each, 0 for none. */
  domains: number[] | undefined;
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
}

export interface RuleOptions {
  maxretry: number;
  /** Milliseconds. */
  findtime: number;
  users?: number | undefined;
  domains?: number | undefined;
}

/** The first offence that `place` is a part of; undefined: there is none. */
export type FindOffence = (attempted: Attempted, place: number) => Completed | undefined;

export function createRules(options: RuleOptions): FindOffence {
  const { users, domains } = options;
  return users === undefined && domains === undefined ? countAttempts(options) : countAll(options);
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

/** The same, and user names and mail domains; what is complete first decides. */
function countAll({ maxretry, findtime, users, domains }: RuleOptions): FindOffence {
  return (attempted, place) => {
    const { times } = attempted;
    for (let end = place; end < times.length; end += 1) {
      const begin = firstWithin(times, end, findtime);
      if (begin > place) return undefined;
      if (end - begin + 1 >= maxretry) return { begin: end - maxretry + 1, end };
      const ofDomains = countDifferent(attempted.domains ?? [], begin, end);
      if (ofDomains >= (domains ?? Infinity)) {
        return { begin, end, rule: "domains", count: ofDomains };
      }
      const ofUsers = countDifferent(attempted.users ?? [], begin, end);
      if (ofUsers >= (users ?? Infinity)) return { begin, end, rule: "users", count: ofUsers };
    }
    return undefined;
  };
}

/** The first place whose attempt lies within findtime before that of `end`. */
function firstWithin(times: readonly number[], end: number, findtime: number): number {
  const oldest = (times[end] ?? 0) - findtime;
  let begin = end;
  while (begin > 0 && (times[begin - 1] ?? 0) > oldest) begin -= 1;
  return begin;
}
