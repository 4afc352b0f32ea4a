/**
 * What the lines of one source have shown about its Dovecot: how many passdbs refuse an attempt one
 * after the other, and whether every attempt leaves a line (auth_verbose=yes).
 *
 * Only connections that have ended teach anything, because their end names the number of attempts.
 * A connection is whole when it began after the first line that was read: what is missing in
 * others proves nothing.
 */
import type { Reading } from "../dovecot/reading.ts";

export interface PassdbChain {
  /** Lines that a refused attempt leaves; 0: not known yet. */
  length: number;
  /** Where PAM stands among the passdbs. */
  pam: "nowhere" | "early" | "last";
  /** Sessions in a row that had fewer lines. */
  shorter: number;
  /** Most refusal lines seen before a login. Until `length` is known, that many do not count. */
  behind: number;
  /** While `length` is not known: attempts that no login followed. */
  silent: number;
  /** A password was right whose user the userdb did not know, and said so as a passdb does. */
  hasLostUsers: boolean;
  /** auth_verbose is on: a line was seen that nothing else writes. */
  isVerbose: boolean;
  /**
   * Failed connections that must show all attempts in lines before the lines are believed to be
   * complete. 0: no attempt has ever gone without a line.
   */
  distrust: number;
  /** When the first line was written that was read of this source. */
  since: number | undefined;
  /** It is a proxy: what its passdbs accept, the server behind it may refuse. */
  isProxy: boolean;
  /** PAM's service file is missing, so that PAM refuses everybody; a login shows otherwise. */
  isPamMissing: boolean;
  /**
   * The elements of login lines name no mechanism: not even a login did. Elsewhere an end without a
   * mechanism says that Dovecot refused LOGIN before it looked at the password.
   */
  hidesMethod: boolean;
  /** Lines that reported an attempt, but not plainly whose: their connections' ends will come. */
  unread: number;
  /** When the last of them was written. */
  unreadAt: number;
}

/** After this number of sessions with fewer lines, fleetban takes a passdb for removed. */
const SESSIONS_BEFORE_SHORTENING = 50;
/** This number of attempts is provisional, until it is known that no login follows them. */
const REFUSALS_BEFORE_TRUST = 3;
/**
 * From a passdb's refusal to the login of the same attempt: less than auth_failure_delay (2 s),
 * after which a client that was refused can try again.
 */
export const ACCEPTED_WITHIN_MS = 1_500;

/** A login process ends a connection after 180 s. */
const LONGEST_SESSION_MS = 180_000;

export const newChain = (): PassdbChain => ({
  length: 0,
  pam: "nowhere",
  shorter: 0,
  behind: 0,
  silent: 0,
  hasLostUsers: false,
  isVerbose: false,
  distrust: 0,
  since: undefined,
  isProxy: false,
  isPamMissing: false,
  hidesMethod: false,
  unread: 0,
  unreadAt: 0,
});

/** Does every attempt leave a line, so that an end's number tells nothing more? */
export function reportsAll({ isVerbose, distrust }: PassdbChain): boolean {
  return isVerbose && distrust === 0;
}

/** May what a line has just counted have to be taken back, and for how long? undefined: no. */
export function heldFor(
  { isUnknownHere, form }: Reading,
  { length, silent, hasLostUsers }: PassdbChain,
): number | undefined {
  if (!isUnknownHere) return undefined;
  if (length === 0 && silent < REFUSALS_BEFORE_TRUST) return ACCEPTED_WITHIN_MS;
  // A userdb speaks as a passdb does, and says at once that it was one.
  if (form === "auth-unknown-user") return hasLostUsers ? ACCEPTED_WITHIN_MS : 0;
  return undefined;
}

interface ConnectionLines {
  /** Lines of passdbs. */
  lines: number;
  /** Where PAM stood among the passdbs. */
  pam: PassdbChain["pam"];
  attempts: number;
  isWhole: boolean;
}

/** Learns the number of passdbs from the lines of a connection that made `attempts` attempts. */
export function learnLength(
  chain: PassdbChain,
  { lines, pam, attempts, isWhole }: ConnectionLines,
): void {
  if (attempts < 1 || lines === 0 || lines % attempts !== 0) return;
  const length = lines / attempts;
  if (length < chain.length) {
    // Some attempts leave fewer lines, and a client that makes them may want to be believed.
    if (isWhole) chain.shorter += 1;
    if (chain.shorter < SESSIONS_BEFORE_SHORTENING) return;
  }
  chain.length = length;
  chain.shorter = 0;
  chain.pam = pam;
}

/**
 * A login line shows whether the administrator's elements name the mechanism. Every login has one,
 * and so has every connection whose password a passdb has looked at.
 */
export function learnMethod(
  chain: PassdbChain,
  { hasMethod, verdict }: Reading,
  isReported: boolean,
): void {
  if (hasMethod) chain.hidesMethod = false;
  else if (verdict === "success" || isReported) chain.hidesMethod = true;
}

/** Did Dovecot look at a password, although the end names no mechanism? */
export function isCheckedAfterAll({ hidesMethod }: PassdbChain, { form }: Reading): boolean {
  return hidesMethod && form !== null && form.endsWith("-cleartext");
}

/** A line reported an attempt, but not plainly whose. */
export function noteUnread(chain: PassdbChain, at: number): void {
  chain.unread += 1;
  chain.unreadAt = at;
}

/** An end speaks of more attempts than lines did: how many of them may be in lines not read? */
export function takeUnread(chain: PassdbChain, attempts: number, at: number): number {
  if (chain.unread === 0 || attempts <= 0) return 0;
  const isOld = at - chain.unreadAt > LONGEST_SESSION_MS;
  const taken = isOld ? 0 : Math.min(attempts, chain.unread);
  chain.unread = isOld ? 0 : chain.unread - taken;
  return taken;
}

/** A whole connection failed; did all of its attempts leave lines, or none of them? */
export function learnVerbosity(chain: PassdbChain, reported: "all" | "some" | "none"): void {
  if (!chain.isVerbose || reported === "some") return;
  if (reported === "all") chain.distrust = Math.max(chain.distrust - 1, 0);
  else chain.distrust = SESSIONS_BEFORE_SHORTENING;
}
