/**
 * Attempts by address, for lines that do not say of which session they are: PAM's, and the ends
 * of connections where the administrator's format has no session. Each attempt that was
 * counted stays here for a while, so that whoever tells of it again, in another log
 * perhaps and in any order, finds it.
 */
import type { Address } from "../../wire/address.ts";
import { dropOldest } from "./bounded-map.ts";
import { ACCEPTED_WITHIN_MS } from "./passdb-chain.ts";
import { isSamePerson, isSameUser } from "./same-user.ts";

export interface Untied {
  from: number;
  to: number;
  /** undefined: not known. */
  user: string | undefined;
  /** PAM modules that have told of it, each in its source: `auth-log pam_unix`. */
  pam: readonly string[];
  /** None of these modules has said that it knows the user. */
  isUnknownHere: boolean;
  /** Lines of a session have told of it. */
  isTold: boolean;
  /** That session, where there is one. */
  session: string | undefined;
  /** Sources in which an end without a session has told of it, and when that was. */
  ends: readonly string[];
  endedAt: number;
}

export interface UntiedAttempts {
  /** A PAM module tells of an attempt. The attempt, if it was not known. */
  pamTells(line: PamLine): Untied | undefined;
  /**
   * A session's lines tell of an attempt within this time; `user` undefined: of anybody. Has PAM
   * alone told of one?
   */
  takePam(address: Address, user: string | undefined, from: number, to: number): boolean;
  /** The same; where PAM has not, the attempt is kept for PAM's lines to come. The attempt, if it was not known. */
  sessionTells(
    address: Address,
    user: string | undefined,
    from: number,
    to: number,
    session: string | undefined,
  ): Untied | undefined;
  /** The end of a connection, without its session, tells of an attempt. */
  endTells(address: Address, user: string, from: number, at: number, source: string): boolean;
  /**
   * Somebody was let in whom PAM has just refused, because it does not know him: that was no
   * refused attempt. It, if there is one; `isLate`: a long time before, for one attempt.
   */
  acceptPam(success: Success): { attempt: Untied; isLate: boolean } | undefined;
  /** The session whose attempt this success ends, where the success does not say which it is. */
  sessionOf(success: Success): string | undefined;
  /** Sessions whose attempts a connection's end without a session may be about. */
  sessionsWithin(address: Address, from: number, to: number): Set<string>;
  /** The last attempt that was counted for a session, or for nobody's of this address. */
  lastOf(address: Address, session: string | undefined): Untied | undefined;
  /** Attempts within this time that no end without a session has reported in this source. */
  reportedWithin(address: Address, from: number, to: number, source: string): number;
  forget(before: number): void;
  snapshot(): [Address, Untied[]][];
  readonly size: number;
}

export interface PamLine {
  address: Address;
  user: string;
  at: number;
  source: string;
  module: string;
  isUnknownHere: boolean;
}

export interface Success {
  address: Address;
  user: string;
  at: number;
}

/** Several sources, or stamps of whole seconds, tell of one moment a little differently. */
export const SLACK_MS = 2_000;
/** From one PAM module of a stack to the next, and to Dovecot's own line. */
const PAM_TAKES_MS = 10_000;
/** From its line to the next passdb's verdict: 2 s and a quarter (pam_fail_delay), by stamps of whole seconds. */
export const PAM_ACCEPTED_WITHIN_MS = 3_000;
/** Beyond these the oldest make room: of one address, and addresses. */
const MAX_OF_ADDRESS = 64;
const MAX_ADDRESSES = 20_000;
/** One empty array serves all attempts: the lines of a session report most of them. */
const NOBODY: readonly string[] = [];

const newAttempt = (from: number, to: number, user: string | undefined): Untied => ({
  from,
  to,
  user,
  pam: NOBODY,
  isUnknownHere: false,
  isTold: false,
  session: undefined,
  ends: NOBODY,
  endedAt: 0,
});

export function createUntiedAttempts(known: readonly [Address, Untied[]][] = []): UntiedAttempts {
  const attempts = new Map<Address, Untied[]>(structuredClone(known as [Address, Untied[]][]));

  function add(address: Address, attempt: Untied): Untied {
    let own = attempts.get(address);
    if (!own) {
      if (attempts.size >= MAX_ADDRESSES) dropOldest(attempts);
      own = [];
      attempts.set(address, own);
    }
    if (own.length >= MAX_OF_ADDRESS) own.shift();
    own.push(attempt);
    return attempt;
  }

  /** The first that fits, of the same user if there is one. */
  function find(
    address: Address,
    user: string | undefined,
    fits: (attempt: Untied) => boolean,
  ): Untied | undefined {
    const own = attempts.get(address);
    if (!own) return undefined;
    let any: Untied | undefined;
    for (const each of own) {
      if (!fits(each)) continue;
      if (user === undefined || (each.user !== undefined && isSameUser(each.user, user))) {
        return each;
      }
      any ??= each;
    }
    return any;
  }

  /** Where PAM never writes, nobody looks for what it wrote. */
  let hasPam = known.some(([, own]) => own.some(({ pam }) => pam.length > 0));

  function takePam(address: Address, user: string | undefined, from: number, to: number): boolean {
    if (!hasPam) return false;
    return takePamOf(address, user, from, to, undefined);
  }

  function takePamOf(
    address: Address,
    user: string | undefined,
    from: number,
    to: number,
    session: string | undefined,
  ): boolean {
    if (!hasPam) return false;
    const known = find(address, user, (each) => {
      if (each.isTold || each.pam.length === 0 || each.to < from || each.to > to) return false;
      return user === undefined || each.user === undefined || isSameUser(each.user, user);
    });
    if (known) Object.assign(known, { isTold: true, session });
    return known !== undefined;
  }

  /** The last that fits. */
  function last(address: Address, fits: (attempt: Untied) => boolean): Untied | undefined {
    const own = attempts.get(address) ?? [];
    for (let index = own.length - 1; index >= 0; index -= 1) {
      const each = own[index];
      if (each && fits(each)) return each;
    }
    return undefined;
  }

  const isOf = (attempt: Untied, user: string) =>
    attempt.user !== undefined && isSamePerson(attempt.user, user);

  return {
    pamTells({ address, user, at, source, module, isUnknownHere }) {
      const teller = `${source} ${module}`;
      hasPam = true;
      const isOwn = (each: Untied) => each.user === undefined || isSameUser(each.user, user);
      const known = find(address, user, (each) => {
        if (!isOwn(each) || each.pam.includes(teller)) return false;
        if (each.pam.length === 0) {
          return each.isTold && at >= each.from - PAM_TAKES_MS && at <= each.to + PAM_TAKES_MS;
        }
        const isOther = !each.pam.some((other) => other.endsWith(` ${module}`));
        return Math.abs(at - each.to) <= (isOther ? PAM_TAKES_MS : SLACK_MS);
      });
      if (known) {
        known.isUnknownHere &&= isUnknownHere;
        known.pam = [...known.pam, teller];
        return undefined;
      }
      const attempt = newAttempt(at, at, user);
      attempt.pam = [teller];
      attempt.isUnknownHere = isUnknownHere;
      return add(address, attempt);
    },

    takePam,

    sessionTells(address, user, from, to, session) {
      if (takePamOf(address, user, from, to, session)) return undefined;
      const attempt = newAttempt(from, to, user);
      attempt.isTold = true;
      attempt.session = session;
      return add(address, attempt);
    },

    acceptPam({ address, user, at }) {
      if (!hasPam) return undefined;
      const attempt = last(address, (each) => {
        const isPams = each.pam.length > 0 && each.isUnknownHere && !each.isTold;
        return isPams && isOf(each, user) && each.to <= at && at - each.to <= PAM_TAKES_MS;
      });
      if (!attempt) return undefined;
      attempt.isTold = true;
      return { attempt, isLate: at - attempt.to > PAM_ACCEPTED_WITHIN_MS };
    },

    sessionOf({ address, user, at }) {
      // `to` lies a little behind the line.
      const isRecent = ({ to }: Untied) => Math.abs(to - SLACK_MS - at) <= ACCEPTED_WITHIN_MS;
      const fits = (each: Untied) =>
        each.session !== undefined && each.pam.length === 0 && isRecent(each) && isOf(each, user);
      return last(address, fits)?.session;
    },

    sessionsWithin(address, from, to) {
      const found = new Set<string>();
      for (const each of attempts.get(address) ?? []) {
        if (each.session !== undefined && each.to >= from && each.to <= to) found.add(each.session);
      }
      return found;
    },

    reportedWithin(address, from, to, source) {
      const isWithin = (each: Untied) =>
        each.to >= from && each.to <= to && !each.ends.includes(source);
      return (attempts.get(address) ?? []).filter(isWithin).length;
    },

    lastOf: (address, session) => last(address, (each) => each.isTold && each.session === session),

    endTells(address, user, from, at, source) {
      const isTwin = (each: Untied) =>
        each.ends.length > 0 &&
        Math.abs(at - each.endedAt) <= SLACK_MS &&
        (each.user === undefined || isSameUser(each.user, user));
      const isWithin = (each: Untied) =>
        each.ends.length === 0 && each.to >= from && each.to <= at + SLACK_MS;
      const fits = (each: Untied) =>
        !each.ends.includes(source) && (isTwin(each) || isWithin(each));
      const known = find(address, user, fits);
      if (known) {
        known.ends = [...known.ends, source];
        known.endedAt = at;
        known.isTold = true;
        return false;
      }
      const attempt = newAttempt(from, at, user);
      attempt.isTold = true;
      attempt.ends = [source];
      attempt.endedAt = at;
      add(address, attempt);
      return true;
    },

    forget(before) {
      attempts.forEach((own, address) => {
        const oldest = own[0];
        if (oldest && oldest.to >= before) return; // they are nearly in order
        const rest = own.filter(({ to }) => to >= before);
        if (rest.length === 0) attempts.delete(address);
        else if (rest.length < own.length) attempts.set(address, rest);
      });
    },
    snapshot: () => structuredClone([...attempts]),
    get size() {
      let sum = 0;
      for (const own of attempts.values()) sum += own.length;
      return sum;
    },
  };
}
