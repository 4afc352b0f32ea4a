/**
 * How many attempts the auth process's lines of one session tell of.
 *
 * Every passdb that is asked says in turn that it refused: one attempt leaves as many lines as
 * there are passdbs, whose names may even be the same; and where a later one accepts the
 * password, the earlier ones have said that they refused it. So an attempt is over with the
 * last passdb's line. How many there are the ends of sessions teach, with their number of
 * attempts: see `learn`. Until one has been seen, an attempt counts with its first line.
 */
import { isMechanism } from "./auth-line.ts";
import type { Reading } from "./reading.ts";

/** What is known of the passdbs that one source's lines are about. */
export interface Chain {
  /** Lines that a refused attempt leaves; 0: not known yet. */
  length: number;
  /** Where PAM stands among them. */
  pam: "nowhere" | "early" | "last";
  /** Sessions in a row that had fewer lines. */
  shorter: number;
}

/** The lines of one session in one source. */
export interface Refusals {
  /** Attempts that are over, or, while the chain is not known, have begun. */
  attempts: number;
  /** Lines of passdbs. */
  lines: number;
  /** Something else told of an attempt, too: lines and attempts are no measure of the chain. */
  isMixed: boolean;
  /** The attempt that is not over: its lines, the passdbs, whose it is, when the last line was. */
  open: number;
  /** It has been counted already. */
  isCounted: boolean;
  names: readonly string[];
  user: string;
  at: number;
  isUnknownUser: boolean;
  pam: Chain["pam"];
}

/** Attempts of one session are further apart (auth_failures are answered every 500 ms). */
const SAME_ATTEMPT_MS = 400;
/** So many sessions with fewer lines are needed to believe that a passdb is gone. */
const BELIEVED = 50;

/** What is said before, or instead of, any passdb is asked. */
const ALONE: ReadonlySet<string> = new Set([
  "auth-rejected-name",
  "auth-invalid-input",
  "auth-policy-refused",
  "auth-master-refused",
  "login-proxy-refused",
]);

const NO_NAMES: readonly string[] = [];

export const newChain = (): Chain => ({ length: 0, pam: "nowhere", shorter: 0 });

export const noRefusals = (): Refusals => ({
  attempts: 0,
  lines: 0,
  isMixed: false,
  open: 0,
  isCounted: false,
  names: NO_NAMES,
  user: "",
  at: 0,
  isUnknownUser: false,
  pam: "nowhere",
});

/** Notes one line. */
export function noteRefusal(
  refusals: Refusals,
  { form, user = "", refusedBy = "", isMaster }: Reading,
  at: number,
  { length }: Chain,
): void {
  const isAlone = isMechanism(refusedBy) || isMaster || (form !== null && ALONE.has(form));
  const isPam = form === "auth-pam-failed" || refusedBy.startsWith("pam");
  // A session has one attempt at a time: when somebody else comes, the one before was refused.
  const isSame = refusals.open > 0 && isSameUser(refusals.user, user);
  if (!isSame || (length > 0 && refusals.open >= length)) close(refusals);

  if (isAlone) {
    refusals.isMixed = true;
    // Passdbs that did not know the user come before the mechanism that compares.
    if (!(refusals.isUnknownUser && isMechanism(refusedBy))) close(refusals);
    refusals.open += 1;
    close(refusals);
    return;
  }
  if (length === 0 && refusals.open > 0 && !isOfAttempt(refusals, refusedBy, at)) close(refusals);
  refusals.lines += 1;
  refusals.open += 1;
  if (length === 0) refusals.names = [...refusals.names, refusedBy];
  refusals.user = user;
  refusals.at = at;
  refusals.isUnknownUser = form === "auth-unknown-user";
  if (isPam) refusals.pam = "last";
  else if (refusals.pam === "last") refusals.pam = "early";
  if (length === 0) count(refusals);
  else if (refusals.open >= length) close(refusals);
}

/** The attempt is over. */
function close(refusals: Refusals): void {
  if (refusals.open > 0) count(refusals);
  refusals.open = 0;
  refusals.isCounted = false;
  refusals.isUnknownUser = false;
  refusals.names = NO_NAMES;
}

function count(refusals: Refusals): void {
  if (!refusals.isCounted) refusals.attempts += 1;
  refusals.isCounted = true;
}

/** While nobody knows the chain: another passdb, or the same name at the same moment. */
function isOfAttempt({ names, at: before }: Refusals, name: string, at: number): boolean {
  return !names.includes(name) || at - before < SAME_ATTEMPT_MS;
}

/** What the end of a session, which says how many attempts there were, teaches about the chain. */
export function learn(chain: Chain, { lines, isMixed, pam }: Refusals, attempts: number): void {
  if (isMixed || attempts === 0 || lines === 0 || lines % attempts !== 0) return;
  const length = lines / attempts;
  if (length < chain.length) {
    // Some attempts leave fewer lines, and who makes them may want to be believed.
    chain.shorter += 1;
    if (chain.shorter < BELIEVED) return;
  }
  chain.length = length;
  chain.shorter = 0;
  chain.pam = pam;
}

/** Dovecot cuts names at different lengths in different lines: `averylongna...`. */
export function isSameUser(a: string, b: string): boolean {
  if (a === b) return true;
  if (a.endsWith("...") && b.startsWith(a.slice(0, -3))) return true;
  if (b.endsWith("...") && a.startsWith(b.slice(0, -3))) return true;
  return a.toLowerCase() === b.toLowerCase();
}
