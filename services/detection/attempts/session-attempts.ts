/**
 * How many attempts the lines of one session report, in one source.
 *
 * Every passdb that is asked says in turn that it refused: one attempt leaves as many lines as
 * there are passdbs, whose names may even be the same; and where a later one accepts the
 * password, the earlier ones have said that they refused it. So an attempt is over with the
 * last passdb's line. The ends of sessions show how many passdbs there are (`passdb-chain`).
 * Until one has been seen, an attempt counts with its first line, which is taken back when the
 * session is let in at once: see `accept`.
 *
 * A session may have several connections: a Dovecot proxy gives all connections to the server
 * behind it the client's session id. Each end closes the count of its connection.
 */
import { isMechanism } from "../dovecot/auth-line.ts";
import type { Reading } from "../dovecot/reading.ts";
import { ACCEPTED_WITHIN_MS, type PassdbChain } from "./passdb-chain.ts";
import { isSamePerson, isSameUser } from "./same-user.ts";

/** The lines of one session in one source. */
export interface SessionAttempts {
  /** Attempts of connections that have ended. */
  before: number;
  /** Attempts of the connection that ended last which no line has reported. Lines may come late. */
  owed: number;
  /** When the last connection ended. */
  endedAt: number;
  /** Attempts of this connection in a proxy's lines about the server behind it. */
  proxied: number;
  /** Attempts of this connection that are over, or, while the chain is not known, have begun. */
  attempts: number;
  /** Attempts that fewer passdbs have refused than there are, before the next attempt began. */
  partial: number;
  /** Lines about refusals: as many attempts as there can be. */
  reports: number;
  /** Attempts that a policy server refused: only the connection's end tells that they were any. */
  unsure: number;
  /** Attempts that were no guesses, though the end counts them. */
  spared: number;
  /** The last attempt about which a passdb could not be asked: whose it was, and when. */
  outageUser: string;
  outageAt: number;
  /** Lines of passdbs. */
  lines: number;
  /** While nobody knew the chain, lines were taken for one attempt that may be of several. */
  isGuessed: boolean;
  /** Something else reported an attempt, too: lines and attempts are no measure of the chain. */
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
  pam: PassdbChain["pam"];
}

/** Attempts of one session are further apart (auth_failures are answered every 500 ms). */
const SAME_ATTEMPT_MS = 400;
/** A passdb takes at most this time to refuse. A client without a session may be back by then. */
const LONGEST_ATTEMPT_MS = 10_000;
const REPEATED_PASSDB_MS = 1_000;
/** Dovecot writes a passdb's answer at most this time after the client has gone. */
const LATE_MS = 10_000;

/** What is said before, or instead of, any passdb is asked. */
const FORMS_WITHOUT_PASSDB: ReadonlySet<string> = new Set([
  "auth-rejected-name",
  "auth-invalid-input",
  "auth-policy-refused",
  "auth-master-refused",
]);

/** What is said when a passdb could not be asked; PAM's where its service file is missing. */
const OUTAGES: ReadonlySet<string> = new Set([
  "auth-temporary-failure",
  "auth-pam-missing",
  "auth-pam-failed",
]);

const NO_NAMES: readonly string[] = [];

export const noAttempts = (): SessionAttempts => ({
  before: 0,
  owed: 0,
  endedAt: 0,
  proxied: 0,
  attempts: 0,
  partial: 0,
  reports: 0,
  unsure: 0,
  spared: 0,
  outageUser: "",
  outageAt: 0,
  lines: 0,
  isGuessed: false,
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

/** All attempts of the session that lines have reported so far, or ends without them. */
export function totalOf({ before, attempts }: SessionAttempts): number {
  return before + attempts;
}

/** Notes a line about a passdb, or a mechanism, that refused. */
export function noteRefusal(
  session: SessionAttempts,
  { form, user = "", refusedBy = "", isMaster, isUnknownHere, isNamed, session: id }: Reading,
  at: number,
  chain: PassdbChain,
): void {
  const { length, behind } = chain;
  const isAlone =
    isMechanism(refusedBy) || isMaster || (form !== null && FORMS_WITHOUT_PASSDB.has(form));
  const isPam = form === "auth-pam-failed" || refusedBy.startsWith("pam");
  settle(session, at);
  session.reports += 1;
  // Another passdb could not be asked: Dovecot calls the attempt a temporary failure.
  if (isOfOutage(session, user, at)) return;
  // A session has one attempt at a time: when somebody else comes, the one before was refused.
  const isSame = session.open > 0 && isSameUser(session.user, user);
  const isSoon = at - session.at < SAME_ATTEMPT_MS;
  if (isSame && session.isToken && isSoon && !session.names.includes(refusedBy)) {
    session.names = [...session.names, refusedBy];
    return;
  }
  if (isSame && isStale(session, refusedBy, at, id)) {
    // Without a session nobody says what became of it: it may have been let in.
    if (id === undefined) dropOpen(session);
    else close(session, chain);
  }
  const isAgain = isNamed && id !== undefined && session.names.includes(refusedBy);
  if (!isSame || isAgain || (length > 0 && session.open >= length)) close(session, chain);

  if (isAlone || form === "auth-token-refused") {
    session.isMixed = true;
    // Passdbs that did not know the user come before the mechanism that compares.
    if (!(session.isUnknownUser && isMechanism(refusedBy))) close(session, chain);
    session.open += 1;
    count(session);
    if (isAlone) dropOpen(session);
    else Object.assign(session, { isToken: true, names: [refusedBy], user, at });
    return;
  }
  if (length === 0 && session.open > 0 && !isOfAttempt(session, refusedBy, at)) {
    close(session, chain);
  }
  if (length === 0 && session.open > 0) session.isGuessed = true;
  session.lines += 1;
  session.open += 1;
  if (length !== 1) session.names = [...session.names, refusedBy];
  session.user = user;
  session.at = at;
  session.isUnknownUser = form === "auth-unknown-user";
  if (isPam) session.pam = "last";
  else if (session.pam === "last") session.pam = "early";
  // A user whom this passdb knows is not likely to be let in by another one.
  const isPlain = !isUnknownHere || session.open > behind;
  if (length > 0 ? session.open >= length : isPlain) count(session);
  if (length > 0 && session.open >= length) dropOpen(session);
}

/**
 * Notes a proxy's line about an attempt that the server behind it refused. Where both write one log,
 * the server behind has reported the same attempt: at its check, or at its connection's end.
 */
export function noteProxied(session: SessionAttempts, user: string, at: number): void {
  settle(session, at);
  session.proxied += 1;
  session.isMixed = true;
  const isChecked = at - session.at <= LONGEST_ATTEMPT_MS && isSameUser(session.user, user);
  if (session.attempts > 0 && isChecked) session.at = 0;
  else if (session.proxied > session.before + session.owed) session.attempts += 1;
}

/**
 * Notes an attempt that was no guess. An outage makes void what earlier passdbs have said of the
 * attempt. Returns whether that has been counted.
 */
export function noteSpared(
  session: SessionAttempts,
  { user = "", form }: Reading,
  at: number,
): boolean {
  settle(session, at);
  if (form === null || !OUTAGES.has(form)) {
    session.spared += 1;
    return false;
  }
  // An outage may leave several lines.
  const isAgain = isOfOutage(session, user, at);
  session.outageUser = user;
  session.outageAt = at;
  if (isAgain) return false;
  session.spared += 1;
  const isOpen = session.open > 0 && isSameUser(session.user, user);
  if (!isOpen || at - session.at > LONGEST_ATTEMPT_MS) return false;
  const { isCounted } = session;
  session.lines -= session.open;
  dropOpen(session);
  if (isCounted) session.attempts -= 1;
  return isCounted;
}

function isOfOutage({ outageAt, outageUser }: SessionAttempts, user: string, at: number): boolean {
  return outageAt > 0 && at - outageAt < SAME_ATTEMPT_MS && isSameUser(outageUser, user);
}

/** The attempt is over. */
function close(session: SessionAttempts, { length }: PassdbChain): void {
  const { open, isCounted, isUnknownUser } = session;
  // A passdb that did not answer has accepted it, or is not asked about such users: the
  // connection's end tells.
  if (open > 0 && open < length && isUnknownUser && !isCounted) session.partial += 1;
  else if (open > 0) count(session);
  dropOpen(session);
}

/** Nothing is known of an attempt that is under way. */
export function dropOpen(session: SessionAttempts): void {
  session.open = 0;
  session.isCounted = false;
  session.isUnknownUser = false;
  session.isToken = false;
  session.names = NO_NAMES;
}

function count(session: SessionAttempts): void {
  if (session.isCounted) return;
  session.isCounted = true;
  if (session.owed === 0) session.attempts += 1;
  else {
    // The line was written late: the connection's end has counted the attempt.
    session.owed -= 1;
    session.before += 1;
  }
}

/** While nobody knows the chain: another passdb, or the same name at the same moment. */
function isOfAttempt({ names, at: before }: SessionAttempts, name: string, at: number): boolean {
  return !names.includes(name) || at - before < SAME_ATTEMPT_MS;
}

/** Too long ago for this line to be of the same attempt. */
function isStale(
  { names, at: before }: SessionAttempts,
  name: string,
  at: number,
  id: string | undefined,
): boolean {
  const isSoon = id === undefined && names.includes(name);
  return at - before > (isSoon ? REPEATED_PASSDB_MS : LONGEST_ATTEMPT_MS);
}

/**
 * The session has been let in: what is open of it was refused by some passdb, and then
 * accepted. Returns whether it has been counted.
 */
export function accept(
  session: SessionAttempts,
  chain: PassdbChain,
  user: string,
  at: number,
): boolean {
  const { open, isCounted, isToken, isUnknownUser, pam } = session;
  if (open === 0 || isToken || !isSamePerson(session.user, user)) return false;
  const isRefusal = chain.length === 0 && !isUnknownUser && pam === "nowhere";
  if (at - session.at > ACCEPTED_WITHIN_MS || isRefusal) return false;
  dropOpen(session);
  session.lines -= open;
  if (chain.length === 0) chain.behind = Math.max(chain.behind, open);
  if (!isCounted) return false;
  session.attempts -= 1;
  return true;
}

/**
 * The userdb has not found a user who had given the right password: the line before was its own.
 * Returns whether it has been counted as an attempt.
 */
export function forgive(session: SessionAttempts, chain: PassdbChain): boolean {
  chain.hasLostUsers = true;
  const { open, isCounted, lines, attempts } = session;
  dropOpen(session);
  session.lines = Math.max(lines - Math.max(open, chain.length, 1), 0);
  if (attempts === 0 || (open > 0 && !isCounted)) return false;
  session.attempts -= 1;
  return true;
}

/** The attempts of the last connection that no line has reported stay without one. */
function settle(session: SessionAttempts, at: number): void {
  if (session.owed === 0 || at - session.endedAt <= LATE_MS) return;
  session.before += session.owed;
  session.owed = 0;
}
