/**
 * How many attempts a connection made, once it has ended: what its lines reported, and the number
 * that its end names.
 *
 * - Where auth_verbose reports every attempt, the end adds nothing: exchanges that were broken off
 *   are in its number, too.
 * - Elsewhere the end adds what no line reported, but for outages.
 * - No more attempts have failed than the end allows, whatever passdbs said before another one
 *   accepted the password.
 */
import type { Reading } from "../dovecot/reading.ts";
import {
  learnLength,
  learnVerbosity,
  reportsAll,
  takeUnread,
  type PassdbChain,
} from "./passdb-chain.ts";
import { dropOpen, totalOf, type SessionAttempts } from "./session-attempts.ts";

/** What counts: passwords that were refused, or (aggressive) everything that was. */
export type Mode = "normal" | "aggressive";

/** What the end of a connection says about its attempts. */
interface ConnectionEnd {
  at: number;
  /** Attempts that the end speaks of; 0 where it names none. */
  stated: number;
  /** No more attempts can have failed; undefined: the end names no number. */
  ceiling: number | undefined;
  /** Attempts that Dovecot called right. */
  accepted: number;
  isFailure: boolean;
  /** A proxy's end, about the server behind it. */
  isProxied: boolean;
  /** The end shows an empty name: no attempt has named anybody. */
  isNameless: boolean;
  /** Lines reported every attempt of this connection, so that only they count. */
  isComplete: boolean;
}

/** Attempts that an end speaks of; 0 where it names none. */
export function statedBy(
  { verdict, attempts, hidden, accepted, isBrokenOff }: Reading,
  { isProxy }: PassdbChain,
  mode: Mode,
): number {
  const isCounted = verdict === "failure" || (mode === "aggressive" && verdict !== "success");
  const stated = isCounted ? Math.max(attempts, verdict === "scan" ? 1 : 0) : 0;
  // The client is still here, so the server behind the proxy has refused what the proxy accepted.
  const refusedBehind = isProxy && isBrokenOff ? accepted : 0;
  return Math.max(stated, hidden + refusedBehind);
}

/** Learns from the connection that has ended, and closes it. Returns the session's attempts so far. */
export function closeConnection(
  lines: SessionAttempts,
  reading: Reading,
  chain: PassdbChain,
  mode: Mode,
  at: number,
): number {
  const end = readEnd(reading, chain, mode, at);
  learnFrom(lines, reading, end, chain);
  // Only now is it known whether this chain reports every attempt.
  end.isComplete =
    mode === "normal" && reportsAll(chain) && !hasUnseenBeginning(reading, at, chain);
  endConnection(lines, end, chain);
  return totalOf(lines) + lines.owed;
}

function readEnd(reading: Reading, chain: PassdbChain, mode: Mode, at: number): ConnectionEnd {
  const { verdict, begun, accepted, isBrokenOff, isProxied, user } = reading;
  const isRefusedBehind = isProxied || (chain.isProxy && isBrokenOff);
  return {
    at,
    stated: statedBy(reading, chain, mode),
    ceiling: begun === undefined ? undefined : begun - (isRefusedBehind ? 0 : accepted),
    accepted,
    isFailure: verdict === "failure",
    isProxied,
    isNameless: user === "",
    isComplete: false,
  };
}

/** Dovecot delays its answer to a refused attempt (auth_failure_delay), and so the first line. */
const FIRST_LINE_WITHIN_MS = 2_000;

/** The connection began before the first line that was read, so that its first lines are missing. */
function hasUnseenBeginning({ seconds }: Reading, at: number, { since }: PassdbChain): boolean {
  if (seconds === undefined || since === undefined) return false;
  return at - seconds * 1000 < since - FIRST_LINE_WITHIN_MS;
}

/** What a failed connection shows about the passdbs, and about auth_verbose. */
function learnFrom(
  lines: SessionAttempts,
  { seconds }: Reading,
  { at, stated, isFailure, isNameless }: ConnectionEnd,
  chain: PassdbChain,
): void {
  if (!isFailure) return;
  const isWhole =
    seconds !== undefined && chain.since !== undefined && at - seconds * 1000 >= chain.since;
  const attempts = stated - lines.spared;
  const { lines: count, pam, isMixed } = lines;
  if (!isMixed) learnLength(chain, { lines: count, pam, attempts, isWhole });
  if (hasReports(lines)) learnVerbosity(chain, lines.attempts >= attempts ? "all" : "some");
  else if (isWhole && !isNameless && takeUnread(chain, attempts, at) === 0) {
    learnVerbosity(chain, "none");
  }
}

/** Closes the connection. What counts of the session is then what lines reported, and `owed`. */
function endConnection(session: SessionAttempts, end: ConnectionEnd, chain: PassdbChain): void {
  session.before += session.owed;
  // A proxy's end comes after those of all connections to the server behind it.
  const others = end.isProxied ? 0 : session.before;
  const known = totalOf(session) - others;
  const all = attemptsAtEnd(session, known, end, chain);
  session.before = others + Math.min(known, all);
  session.owed = Math.max(all - known, 0);
  session.endedAt = end.at;
  session.attempts = 0;
  session.partial = 0;
  session.reports = 0;
  session.unsure = 0;
  session.spared = 0;
  session.lines = 0;
  session.isGuessed = false;
  session.isMixed = false;
  session.pam = "nowhere";
  if (end.isProxied) session.proxied = 0;
  dropOpen(session);
}

/** Has any line reported what happened in this connection? */
function hasReports({ reports, unsure, spared, proxied }: SessionAttempts): boolean {
  return reports + unsure + spared + proxied > 0;
}

/** As many attempts as this connection's lines may report. */
export function mostOf(
  { attempts, reports, lines, isGuessed }: SessionAttempts,
  { length }: PassdbChain,
): number {
  if (!isGuessed) return attempts;
  return Math.max(attempts, reports - lines + Math.floor(lines / Math.max(length, 1)));
}

function attemptsAtEnd(
  session: SessionAttempts,
  known: number,
  { at, stated, ceiling = Infinity, accepted, isFailure, isNameless, isComplete }: ConnectionEnd,
  chain: PassdbChain,
): number {
  const { isPamMissing } = chain;
  const { partial, open, isCounted, unsure, spared } = session;
  if (isPamMissing) return known;
  if (isComplete && !hasReports(session)) return isNameless ? 0 : stated;
  // The last attempt, where it is partial, is what the end is about.
  const uncertain = partial + (isFailure && open > 0 && !isCounted ? 1 : 0);
  const least = known + Math.max(uncertain - (ceiling === Infinity ? accepted : 0), 0);
  const most = Math.max(least, mostOf(session, chain)) + unsure;
  const read = Math.min(stated, most);
  const more = isComplete ? read + takeUnread(chain, stated - spared - read, at) : stated - spared;
  return Math.min(Math.max(least, more), ceiling);
}
