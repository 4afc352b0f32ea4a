/**
 * How many attempts the auth process's lines of one session tell of.
 *
 * Every passdb that is asked says in turn that it refused: one attempt leaves as many lines as
 * there are passdbs, whose names may even be the same; and where a later one accepts the
 * password, the earlier ones have said that they refused it. So an attempt is over with the
 * last passdb's line. How many there are the ends of sessions teach, with their number of
 * attempts: see `learn`. Until one has been seen, an attempt counts with its first line, which
 * is taken back when the session is let in at once: see `accept`.
 */
import { isMechanism } from "../dovecot/auth-line.ts";
import type { Reading } from "../dovecot/reading.ts";

/** What is known of the passdbs that one source's lines are about. */
export interface Chain {
  /** Lines that a refused attempt leaves; 0: not known yet. */
  length: number;
  /** Where PAM stands among them. */
  pam: "nowhere" | "early" | "last";
  /** Sessions in a row that had fewer lines. */
  shorter: number;
  /** While the length is not known: so many lines were no refusal, for a session was let in behind them. */
  behind: number;
  /** While the length is not known: attempts behind which nobody was let in. */
  silent: number;
  /** A password was right whose user the userdb did not know, and said so as a passdb does. */
  hasLostUsers: boolean;
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
  /** It is about a token, which other passdbs may be asked about as if it were a password. */
  isToken: boolean;
  pam: Chain["pam"];
}

/** Attempts of one session are further apart (auth_failures are answered every 500 ms). */
const SAME_ATTEMPT_MS = 400;
/** A passdb that is asked may take so long to refuse; who has no session may be back by then. */
const LONGEST_ATTEMPT_MS = 10_000;
const SOON_MS = 1_000;
/** So many sessions with fewer lines are needed to believe that a passdb is gone. */
const BELIEVED = 50;
/**
 * From a passdb's refusal to the success of the same attempt: less than auth_failure_delay (2 s),
 * after which a client that was refused can try again.
 */
export const ACCEPTED_WITHIN_MS = 1_500;
/** So many attempts are held until they are known not to be let in; then it is plain that they are not. */
const HELD = 3;

/** What is said before, or instead of, any passdb is asked. */
const ALONE: ReadonlySet<string> = new Set([
  "auth-rejected-name",
  "auth-invalid-input",
  "auth-policy-refused",
  "auth-master-refused",
  "login-proxy-refused",
]);

const NO_NAMES: readonly string[] = [];

export const newChain = (): Chain => ({
  length: 0,
  pam: "nowhere",
  shorter: 0,
  behind: 0,
  silent: 0,
  hasLostUsers: false,
});

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
  isToken: false,
  pam: "nowhere",
});

/** Notes one line. */
export function noteRefusal(
  refusals: Refusals,
  { form, user = "", refusedBy = "", isMaster, isUnknownHere, isNamed, session }: Reading,
  at: number,
  { length, behind }: Chain,
): void {
  const isAlone = isMechanism(refusedBy) || isMaster || (form !== null && ALONE.has(form));
  const isPam = form === "auth-pam-failed" || refusedBy.startsWith("pam");
  // A session has one attempt at a time: when somebody else comes, the one before was refused.
  const isSame = refusals.open > 0 && isSameUser(refusals.user, user);
  const isSoon = at - refusals.at < SAME_ATTEMPT_MS;
  if (isSame && refusals.isToken && isSoon && !refusals.names.includes(refusedBy)) {
    refusals.names = [...refusals.names, refusedBy];
    return;
  }
  if (isSame && isStale(refusals, refusedBy, at, session)) {
    // Without a session nobody says what became of it: it may have been let in.
    if (session === undefined) drop(refusals);
    else close(refusals);
  }
  const isAgain = isNamed && session !== undefined && refusals.names.includes(refusedBy);
  if (!isSame || isAgain || (length > 0 && refusals.open >= length)) close(refusals);

  if (isAlone || form === "auth-token-refused") {
    refusals.isMixed = true;
    // Passdbs that did not know the user come before the mechanism that compares.
    if (!(refusals.isUnknownUser && isMechanism(refusedBy))) close(refusals);
    refusals.open += 1;
    if (isAlone) {
      close(refusals);
      return;
    }
    count(refusals);
    Object.assign(refusals, { isToken: true, names: [refusedBy], user, at });
    return;
  }
  if (length === 0 && refusals.open > 0 && !isOfAttempt(refusals, refusedBy, at)) close(refusals);
  refusals.lines += 1;
  refusals.open += 1;
  if (length !== 1) refusals.names = [...refusals.names, refusedBy];
  refusals.user = user;
  refusals.at = at;
  refusals.isUnknownUser = form === "auth-unknown-user";
  if (isPam) refusals.pam = "last";
  else if (refusals.pam === "last") refusals.pam = "early";
  // Whom it knows, nobody else is likely to let in.
  const isPlain = !isUnknownHere || refusals.open > behind;
  if (length > 0 ? refusals.open >= length : isPlain) count(refusals);
  if (length > 0 && refusals.open >= length) close(refusals);
}

/** The attempt is over: it was refused. */
function close(refusals: Refusals): void {
  if (refusals.open > 0) count(refusals);
  drop(refusals);
}

function drop(refusals: Refusals): void {
  refusals.open = 0;
  refusals.isCounted = false;
  refusals.isUnknownUser = false;
  refusals.isToken = false;
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

/** Too long ago for this line to be of the same attempt. */
function isStale(
  { names, at: before }: Refusals,
  name: string,
  at: number,
  session: string | undefined,
): boolean {
  const isSoon = session === undefined && names.includes(name);
  return at - before > (isSoon ? SOON_MS : LONGEST_ATTEMPT_MS);
}

/** May what a line has just counted have to be taken back, and for how long? undefined: no. */
export function heldFor(
  { isUnknownHere, form }: Reading,
  { length, silent, hasLostUsers }: Chain,
): number | undefined {
  if (!isUnknownHere) return undefined;
  if (length === 0 && silent < HELD) return ACCEPTED_WITHIN_MS;
  // A userdb speaks as a passdb does, and says at once that it was one.
  if (form === "auth-unknown-user") return hasLostUsers ? ACCEPTED_WITHIN_MS : 0;
  return undefined;
}

/**
 * The session has been let in: what is open of it was refused by some passdb, and then
 * accepted. Returns whether it has been counted.
 */
export function accept(refusals: Refusals, chain: Chain, user: string, at: number): boolean {
  const { open, isCounted, isToken, isUnknownUser, pam } = refusals;
  if (open === 0 || isToken || !isSamePerson(refusals.user, user)) return false;
  const isRefusal = chain.length === 0 && !isUnknownUser && pam === "nowhere";
  if (at - refusals.at > ACCEPTED_WITHIN_MS || isRefusal) return false;
  drop(refusals);
  refusals.lines -= open;
  if (chain.length === 0) chain.behind = Math.max(chain.behind, open);
  if (!isCounted) return false;
  refusals.attempts -= 1;
  return true;
}

/**
 * The userdb has not found who had given the right password: the line before was its own. Returns
 * whether it has been counted as an attempt.
 */
export function forgive(refusals: Refusals, chain: Chain): boolean {
  chain.hasLostUsers = true;
  const { open, isCounted, lines, attempts } = refusals;
  drop(refusals);
  refusals.lines = Math.max(lines - Math.max(open, chain.length, 1), 0);
  if (attempts === 0 || (open > 0 && !isCounted)) return false;
  refusals.attempts -= 1;
  return true;
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

/** A passdb may have given a domain to who came without one. */
export function isSamePerson(a: string, b: string): boolean {
  return isSameUser(a, b) || isSameUser(withoutDomain(a), withoutDomain(b));
}

function withoutDomain(user: string): string {
  const at = user.indexOf("@");
  return at < 1 ? user : user.slice(0, at);
}

/** Dovecot cuts names at different lengths in different lines: `averylongna...`. */
export function isSameUser(a: string, b: string): boolean {
  if (a === b) return true;
  if (a.endsWith("...") && b.startsWith(a.slice(0, -3))) return true;
  if (b.endsWith("...") && a.startsWith(b.slice(0, -3))) return true;
  return a.toLowerCase() === b.toLowerCase();
}
