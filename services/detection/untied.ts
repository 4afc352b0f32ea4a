/**
 * Attempts by address, for lines that do not say of which session they are: PAM's, and the ends
 * of connections where the administrator's format has no session. Each attempt that was
 * counted stays here for a while, so that whoever tells of it again, in another log
 * perhaps and in any order, finds it.
 */
import type { Address } from "../wire/address.ts";
import { dropOldest } from "./oldest.ts";
import { isSameUser } from "./refusals.ts";

export interface Untied {
  from: number;
  to: number;
  /** undefined: not known. */
  user: string | undefined;
  /** PAM modules that have told of it, each in its source: `auth-log pam_unix`. */
  pam: readonly string[];
  /** Lines of a session have told of it. */
  isTold: boolean;
  /** Sources in which an end without a session has told of it, and when that was. */
  ends: readonly string[];
  endedAt: number;
}

export interface UntiedAttempts {
  /** A PAM module tells of an attempt. Was it not known? */
  pamTells(address: Address, user: string, at: number, source: string, module: string): boolean;
  /**
   * A session's lines tell of an attempt within this time; `user` undefined: of anybody. Has PAM
   * alone told of one?
   */
  takePam(address: Address, user: string | undefined, from: number, to: number): boolean;
  /** The same; where PAM has not, the attempt is kept for PAM's lines to come. Was it not known? */
  sessionTells(address: Address, user: string | undefined, from: number, to: number): boolean;
  /** The end of a connection, without its session, tells of an attempt. */
  endTells(address: Address, user: string, from: number, at: number, source: string): boolean;
  forget(before: number): void;
  snapshot(): [Address, Untied[]][];
  readonly size: number;
}

/** Several sources, or stamps of whole seconds, tell of one moment a little differently. */
export const SLACK_MS = 2_000;
/** From one PAM module of a stack to the next, and to Dovecot's own line. */
const PAM_TAKES_MS = 10_000;
/** Beyond these the oldest make room: of one address, and addresses. */
const MAX_OF_ADDRESS = 64;
const MAX_ADDRESSES = 20_000;
/** One for all, as most attempts are told of by a session alone. */
const NOBODY: readonly string[] = [];

export function createUntiedAttempts(known: readonly [Address, Untied[]][] = []): UntiedAttempts {
  const attempts = new Map<Address, Untied[]>(structuredClone(known as [Address, Untied[]][]));

  function add(address: Address, attempt: Untied): true {
    let own = attempts.get(address);
    if (!own) {
      if (attempts.size >= MAX_ADDRESSES) dropOldest(attempts);
      own = [];
      attempts.set(address, own);
    }
    if (own.length >= MAX_OF_ADDRESS) own.shift();
    own.push(attempt);
    return true;
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
    const known = find(address, user, (each) => {
      if (each.isTold || each.pam.length === 0 || each.to < from || each.to > to) return false;
      return user === undefined || each.user === undefined || isSameUser(each.user, user);
    });
    if (known) known.isTold = true;
    return known !== undefined;
  }

  return {
    pamTells(address, user, at, source, module) {
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
        known.pam = [...known.pam, teller];
        return false;
      }
      const attempt = { from: at, to: at, user, pam: [teller], isTold: false };
      return add(address, { ...attempt, ends: NOBODY, endedAt: 0 });
    },

    takePam,

    sessionTells(address, user, from, to) {
      if (takePam(address, user, from, to)) return false;
      return add(address, { from, to, user, pam: NOBODY, isTold: true, ends: NOBODY, endedAt: 0 });
    },

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
      const attempt = { from, to: at, user, pam: NOBODY, isTold: true };
      return add(address, { ...attempt, ends: [source], endedAt: at });
    },

    forget(before) {
      for (const [address, own] of attempts) {
        const [oldest] = own;
        if (oldest && oldest.to >= before) continue; // they are nearly in order
        const rest = own.filter(({ to }) => to >= before);
        if (rest.length === 0) attempts.delete(address);
        else if (rest.length < own.length) attempts.set(address, rest);
      }
    },
    snapshot: () => structuredClone([...attempts]),
    get size() {
      let sum = 0;
      for (const own of attempts.values()) sum += own.length;
      return sum;
    },
  };
}
