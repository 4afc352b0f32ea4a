/**
 * One attempt, one failure, whatever the log says about it.
 *
 * A session (one connection) is told of by immediate lines, one per attempt and
 * passdb, while it is open, and by a final line with the number of all attempts.
 * Immediate lines count at once, once per attempt; the final line adds what is missing. PAM's lines
 * and those of old versions have no session: they count at once and leave a credit
 * for address and user, which the session's own lines about the same attempt use up.
 *
 * Time is the lines' own, never the clock's: who reads the same lines again from the same
 * state counts the same.
 */
import type { Address } from "../wire/address.ts";
import { isMechanism } from "./auth-line.ts";
import type { Reading } from "./reading.ts";

/** The ledger's state as plain data, see `snapshot`. */
export interface LedgerSnapshot {
  now: number;
  sessions: [string, Session][];
  credits: [Address, Credit[]][];
}

export interface Session {
  lastAt: number;
  /** Attempts that have been counted. */
  counted: number;
  /** Lines per source and passdb or mechanism. */
  refusals: Record<string, number>;
  /** Its final line has been read; late lines about it change nothing. */
  closed: boolean;
}

/** An attempt that was counted by a line without a session. */
export interface Credit {
  at: number;
  user: string;
  /** What counted it: a PAM module, or another passdb. */
  by: "pam" | "other";
  /** A line of a session has counted it: no other session's end tells of it. */
  isOfSession: boolean;
  /** Sources that have told of it by such a line. */
  sources: string[];
}

export interface Ledger {
  /** How many attempts this line adds, in a log of `source`, written at `at`. */
  count(reading: Reading, source: string, at: number): number;
  snapshot(): LedgerSnapshot;
  readonly sizes: { sessions: number; credits: number };
}

export interface LedgerOptions {
  mode: "normal" | "aggressive";
  /** The longest forgotten sessions make room beyond so many. */
  maxSessions?: number;
  snapshot?: LedgerSnapshot | undefined;
}

/** A login process ends a connection after 180 s; what is older is not coming back. */
const FORGET_AFTER_MS = 600_000;
const SWEEP_EVERY_MS = 150_000;
/** PAM takes its time (pam_fail_delay, penalties) between its line and Dovecot's. */
const PAM_BEFORE_MS = 60_000;
/** Several sources, or stamps of whole seconds, tell of one moment a little differently. */
const SLACK_MS = 2_000;

/** Of most sessions there is nothing but the end. */
const NO_REFUSALS: Record<string, number> = {};

export function createLedger(options: LedgerOptions): Ledger {
  const { mode, maxSessions = 100_000, snapshot } = options;
  const sessions = new Map<string, Session>(structuredClone(snapshot?.sessions ?? []));
  const credits = new Map<Address, Credit[]>(structuredClone(snapshot?.credits ?? []));
  let now = snapshot?.now ?? 0;
  let sweptAt = now;

  function sessionOf(name: string): Session {
    const known = sessions.get(name);
    if (known) {
      if (now - known.lastAt < SWEEP_EVERY_MS) return known;
      // The Map keeps the order of insertion: the first are the longest untouched, but for that.
      sessions.delete(name);
      sessions.set(name, known);
      return known;
    }
    if (sessions.size >= maxSessions) {
      const oldest = sessions.keys().next().value;
      if (oldest !== undefined) sessions.delete(oldest);
    }
    const made = { lastAt: now, counted: 0, refusals: NO_REFUSALS, closed: false };
    sessions.set(name, made);
    return made;
  }

  function creditsOf(address: Address): Credit[] {
    const known = credits.get(address);
    if (known) return known;
    const made: Credit[] = [];
    credits.set(address, made);
    return made;
  }

  /** Uses up one credit that `fits`; the one of the same user first, then the oldest. */
  function useCredit(address: Address, user: string, fits: (credit: Credit) => boolean): boolean {
    const open = credits.get(address);
    if (!open) return false;
    let place = open.findIndex((credit) => fits(credit) && isSameUser(credit.user, user));
    if (place < 0) place = open.findIndex(fits);
    if (place < 0) return false;
    open.splice(place, 1);
    return true;
  }

  /** A PAM line, which another source may have told of, or another passdb's line. */
  function countPam(reading: Reading, source: string, at: number): number {
    const { address, user = "", attempts } = reading;
    if (address === undefined) return 0;
    const open = creditsOf(address);
    let added = 0;
    for (let each = 0; each < attempts; each += 1) {
      const twin = open.find(
        (credit) =>
          isSameUser(credit.user, user) &&
          Math.abs(at - credit.at) <= SLACK_MS &&
          !credit.sources.includes(source) &&
          (credit.by === "pam" || credit.sources.includes(`${source}/auth`)),
      );
      if (twin) {
        twin.sources.push(source);
        continue;
      }
      const early = open.findIndex(
        (credit) =>
          credit.by === "other" &&
          isSameUser(credit.user, user) &&
          at >= credit.at - SLACK_MS &&
          at - credit.at <= PAM_BEFORE_MS,
      );
      if (early >= 0) {
        open.splice(early, 1);
        continue;
      }
      open.push({ at, user, by: "pam", isOfSession: false, sources: [source] });
      added += 1;
    }
    return added;
  }

  /** A line of the auth process. */
  function countImmediate(reading: Reading, source: string, at: number): number {
    const { address, user = "", session: name, refusedBy = "" } = reading;
    if (address === undefined) return 0;
    const session = sessionOf(name ?? `${address} ${user}`);
    session.lastAt = at;
    const key = `${source}/${refusedBy}`;
    if (session.refusals === NO_REFUSALS) session.refusals = {};
    session.refusals[key] = (session.refusals[key] ?? 0) + 1;
    const attempts = attemptsOf(session.refusals);
    if (attempts <= session.counted) return 0;
    session.counted = attempts;
    if (session.closed) return 0;
    const isPam = /^pam/.test(refusedBy) || reading.form === "auth-pam-failed";
    if (isPam) {
      const fits = (credit: Credit) =>
        credit.by === "pam" &&
        isSameUser(credit.user, user) &&
        credit.at <= at + SLACK_MS &&
        at - credit.at <= PAM_BEFORE_MS;
      if (useCredit(address, user, fits)) {
        if (name === undefined)
          creditsOf(address).push({ at, user, by: "other", isOfSession: false, sources: [] });
        return 0;
      }
    }
    // PAM may be the next passdb to be asked, or its line may be read later from another source.
    const isOfSession = name !== undefined;
    creditsOf(address).push({ at, user, by: "other", isOfSession, sources: [`${source}/auth`] });
    return 1;
  }

  /** The end of a connection, with the number of its attempts. */
  function countFinal(reading: Reading, at: number): number {
    const { address, user = "", session: name, seconds, verdict } = reading;
    if (address === undefined) return 0;
    const session = name === undefined ? undefined : sessionOf(name);
    const before = session?.counted ?? 0;
    const isRepeated = session?.closed ?? false;
    if (session) {
      session.lastAt = at;
      session.closed = true;
    }
    if (verdict === "success" || isRepeated) return 0;
    const isCounted = verdict === "failure" || mode === "aggressive";
    const stated = isCounted ? Math.max(reading.attempts, verdict === "scan" ? 1 : 0) : 0;
    const attempts = Math.max(stated, reading.hidden);
    let missing = Math.max(attempts - before, 0);
    const since = at - (seconds ?? 180) * 1000 - SLACK_MS;
    const inConnection = (credit: Credit) => credit.at >= since && credit.at <= at + SLACK_MS;
    // What this session's own lines have counted left credits, too: they are its own.
    for (let own = 0; own < before; own += 1) {
      useCredit(address, user, (credit) => credit.by === "other" && inConnection(credit));
    }
    const isOpen = (credit: Credit) => inConnection(credit) && !credit.isOfSession;
    while (missing > 0 && useCredit(address, user, isOpen)) missing -= 1;
    if (session) session.counted = Math.max(session.counted, attempts);
    return missing;
  }

  function sweep(): void {
    if (now - sweptAt < SWEEP_EVERY_MS) return;
    sweptAt = now;
    for (const [name, { lastAt }] of sessions) {
      if (now - lastAt <= FORGET_AFTER_MS) break; // those behind it were touched later
      sessions.delete(name);
    }
    for (const [address, open] of credits) {
      const [oldest] = open;
      if (oldest && now - oldest.at <= FORGET_AFTER_MS) continue; // they are nearly in order
      const rest = open.filter(({ at }) => now - at <= FORGET_AFTER_MS);
      if (rest.length === 0) credits.delete(address);
      else if (rest.length < open.length) credits.set(address, rest);
    }
  }

  return {
    count(reading, source, at) {
      if (reading.stage === undefined) return 0;
      now = Math.max(now, at);
      sweep();
      if (reading.stage === "final") return countFinal(reading, at);
      if (reading.verdict !== "failure" && mode === "normal") return 0;
      if (reading.stage === "pam") return countPam(reading, source, at);
      return countImmediate(reading, source, at);
    },
    snapshot: () => structuredClone({ now, sessions: [...sessions], credits: [...credits] }),
    sizes: {
      get sessions() {
        return sessions.size;
      },
      get credits() {
        let sum = 0;
        for (const open of credits.values()) sum += open.length;
        return sum;
      },
    },
  };
}

/**
 * Every passdb says once per attempt that it refused, in every source; mechanisms
 * (cram-md5 and such) speak instead of passdbs.
 */
function attemptsOf(refusals: Readonly<Record<string, number>>): number {
  let byPassdbs = 0;
  const byMechanisms = new Map<string, number>();
  for (const [key, count] of Object.entries(refusals)) {
    const name = key.slice(key.indexOf("/") + 1);
    if (isMechanism(name)) byMechanisms.set(name, Math.max(byMechanisms.get(name) ?? 0, count));
    else byPassdbs = Math.max(byPassdbs, count);
  }
  return [...byMechanisms.values()].reduce((sum, count) => sum + count, byPassdbs);
}

/** Dovecot cuts names at different lengths in different lines: `averylongna...`. */
function isSameUser(a: string, b: string): boolean {
  if (a === b) return true;
  if (a.endsWith("...") && b.startsWith(a.slice(0, -3))) return true;
  if (b.endsWith("...") && a.startsWith(b.slice(0, -3))) return true;
  return a.toLowerCase() === b.toLowerCase();
}
