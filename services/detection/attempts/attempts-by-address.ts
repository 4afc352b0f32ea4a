/**
 * Attempts by address, for lines that name no session: the lines of PAM, and the ends of
 * connections where the administrator's log format has no session. Every attempt that was counted
 * stays here for a while. A later line about the same attempt, perhaps in another log, finds the
 * attempt here, and is not counted again.
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
  /** PAM modules that have reported the attempt, each in its source: `auth-log pam_unix`. */
  pam: readonly string[];
  /** None of these modules knows the user, as far as their lines show. */
  isUnknownHere: boolean;
  /** Lines of a session, or the end of a connection, have reported the attempt. */
  isTold: boolean;
  /** The session that has reported the attempt, if the lines name one. */
  session: string | undefined;
  /** Sources in which an end without a session has reported the attempt. */
  ends: readonly string[];
  /** When the last of these ends was; 0: there was none. */
  endedAt: number;
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

/** Two sources, or stamps of whole seconds, give one moment times that differ by at most this. */
export const SLACK_MS = 2_000;
/** From one PAM module of a stack to the next, and to Dovecot's own line. */
const PAM_TAKES_MS = 10_000;
/**
 * From PAM's line to the verdict of the next passdb: 2.25 s (pam_fail_delay), by stamps of whole
 * seconds.
 */
export const PAM_ACCEPTED_WITHIN_MS = 3_000;
/** The oldest attempts of an address make room beyond this many. */
const MAX_OF_ADDRESS = 64;
/** The oldest addresses make room beyond this many. */
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

export class UntiedAttempts {
  readonly #attempts: Map<Address, Untied[]>;
  /** Any PAM module has reported anything: without PAM, nothing is searched for PAM's attempts. */
  #hasPam: boolean;

  constructor(known: readonly [Address, Untied[]][] = []) {
    this.#attempts = new Map(structuredClone(known as [Address, Untied[]][]));
    this.#hasPam = known.some(([, own]) => own.some(({ pam }) => pam.length > 0));
  }

  /** A PAM module reports an attempt. Returns the attempt if it was not known. */
  pamTells(line: PamLine): Untied | undefined {
    const { address, user, at, source, module, isUnknownHere } = line;
    const teller = `${source} ${module}`;
    this.#hasPam = true;
    const known = this.#find(address, user, (attempt) => isAgainOfPam(attempt, line, teller));
    if (known) {
      known.isUnknownHere &&= isUnknownHere;
      known.pam = [...known.pam, teller];
      return undefined;
    }
    const attempt = newAttempt(at, at, user);
    attempt.pam = [teller];
    attempt.isUnknownHere = isUnknownHere;
    return this.#add(address, attempt);
  }

  /**
   * The lines of a session report an attempt within this time; `user` undefined: of any user. Has
   * PAM alone reported such an attempt?
   */
  takePam(
    address: Address,
    user: string | undefined,
    from: number,
    to: number,
    session?: string,
  ): boolean {
    if (!this.#hasPam) return false;
    const known = this.#find(address, user, (attempt) => {
      const { isTold, pam } = attempt;
      if (isTold || pam.length === 0 || attempt.to < from || attempt.to > to) return false;
      return user === undefined || mayBeOf(attempt, user);
    });
    if (known) Object.assign(known, { isTold: true, session });
    return known !== undefined;
  }

  /**
   * The same. If PAM has not reported the attempt, it is kept for the lines of PAM that may follow.
   * Returns the attempt if it was not known.
   */
  sessionTells(
    address: Address,
    user: string | undefined,
    from: number,
    to: number,
    session: string | undefined,
  ): Untied | undefined {
    if (this.takePam(address, user, from, to, session)) return undefined;
    const attempt = newAttempt(from, to, user);
    attempt.isTold = true;
    attempt.session = session;
    return this.#add(address, attempt);
  }

  /** The end of a connection, which names no session, reports an attempt. Was it not known? */
  endTells(address: Address, user: string, from: number, at: number, source: string): boolean {
    const isTwin = (attempt: Untied) =>
      attempt.ends.length > 0 &&
      Math.abs(at - attempt.endedAt) <= SLACK_MS &&
      mayBeOf(attempt, user);
    const isWithin = ({ ends, to }: Untied) =>
      ends.length === 0 && to >= from && to <= at + SLACK_MS;
    const fits = (attempt: Untied) =>
      !attempt.ends.includes(source) && (isTwin(attempt) || isWithin(attempt));
    const known = this.#find(address, user, fits);
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
    this.#add(address, attempt);
    return true;
  }

  /**
   * A user was let in whom PAM has just refused, because PAM does not know the user: that was no
   * refused attempt. Returns the attempt if there is one; `isLate`: PAM's line is older than one
   * attempt takes.
   */
  acceptPam({ address, user, at }: Success): { attempt: Untied; isLate: boolean } | undefined {
    if (!this.#hasPam) return undefined;
    const attempt = this.#last(address, (each) => {
      const isPams = each.pam.length > 0 && each.isUnknownHere && !each.isTold;
      return isPams && isOf(each, user) && each.to <= at && at - each.to <= PAM_TAKES_MS;
    });
    if (!attempt) return undefined;
    attempt.isTold = true;
    return { attempt, isLate: at - attempt.to > PAM_ACCEPTED_WITHIN_MS };
  }

  /** The session whose attempt this success ends, where the success names no session. */
  sessionOf({ address, user, at }: Success): string | undefined {
    // `to` lies a little behind the line.
    const isRecent = ({ to }: Untied) => Math.abs(to - SLACK_MS - at) <= ACCEPTED_WITHIN_MS;
    const fits = (each: Untied) =>
      each.session !== undefined && each.pam.length === 0 && isRecent(each) && isOf(each, user);
    return this.#last(address, fits)?.session;
  }

  /** Sessions whose attempts the end of a connection may be about, if it names no session. */
  sessionsWithin(address: Address, from: number, to: number): Set<string> {
    const found = new Set<string>();
    for (const attempt of this.#attempts.get(address) ?? []) {
      const { session } = attempt;
      if (session !== undefined && attempt.to >= from && attempt.to <= to) found.add(session);
    }
    return found;
  }

  /** The last attempt that was counted for a session, or for no session of this address. */
  lastOf(address: Address, session: string | undefined): Untied | undefined {
    return this.#last(address, (attempt) => attempt.isTold && attempt.session === session);
  }

  /** Attempts within this time that no end without a session has reported in this source. */
  reportedWithin(address: Address, from: number, to: number, source: string): number {
    const isWithin = (attempt: Untied) =>
      attempt.to >= from && attempt.to <= to && !attempt.ends.includes(source);
    return (this.#attempts.get(address) ?? []).filter(isWithin).length;
  }

  forget(before: number): void {
    this.#attempts.forEach((own, address) => {
      const oldest = own[0];
      if (oldest && oldest.to >= before) return; // They are nearly in order.
      const rest = own.filter(({ to }) => to >= before);
      if (rest.length === 0) this.#attempts.delete(address);
      else if (rest.length < own.length) this.#attempts.set(address, rest);
    });
  }

  snapshot(): [Address, Untied[]][] {
    return structuredClone([...this.#attempts]);
  }

  get size(): number {
    let sum = 0;
    for (const own of this.#attempts.values()) sum += own.length;
    return sum;
  }

  #add(address: Address, attempt: Untied): Untied {
    let own = this.#attempts.get(address);
    if (!own) {
      if (this.#attempts.size >= MAX_ADDRESSES) dropOldest(this.#attempts);
      own = [];
      this.#attempts.set(address, own);
    }
    if (own.length >= MAX_OF_ADDRESS) own.shift();
    own.push(attempt);
    return attempt;
  }

  /** The first attempt of the user that fits; if there is none, the first that fits. */
  #find(
    address: Address,
    user: string | undefined,
    fits: (attempt: Untied) => boolean,
  ): Untied | undefined {
    const own = this.#attempts.get(address);
    if (!own) return undefined;
    let first: Untied | undefined;
    for (const attempt of own) {
      if (!fits(attempt)) continue;
      if (user === undefined) return attempt;
      if (attempt.user !== undefined && isSameUser(attempt.user, user)) return attempt;
      first ??= attempt;
    }
    return first;
  }

  /** The last attempt that fits. */
  #last(address: Address, fits: (attempt: Untied) => boolean): Untied | undefined {
    return this.#attempts.get(address)?.findLast(fits);
  }
}

/** PAM has one line for each module, and each source has the line: does this one repeat the attempt? */
function isAgainOfPam(attempt: Untied, { user, at, module }: PamLine, teller: string): boolean {
  const { from, to, pam, isTold } = attempt;
  if (!mayBeOf(attempt, user) || pam.includes(teller)) return false;
  if (pam.length === 0) return isTold && at >= from - PAM_TAKES_MS && at <= to + PAM_TAKES_MS;
  const isOtherModule = !pam.some((other) => other.endsWith(` ${module}`));
  return Math.abs(at - to) <= (isOtherModule ? PAM_TAKES_MS : SLACK_MS);
}

/** The attempt's user is not known, or has this name in one of its spellings. */
function mayBeOf(attempt: Untied, user: string): boolean {
  return attempt.user === undefined || isSameUser(attempt.user, user);
}

function isOf(attempt: Untied, user: string): boolean {
  return attempt.user !== undefined && isSamePerson(attempt.user, user);
}
