/**
 * One attempt, one failure, whatever the log says about it.
 *
 * A session (one connection) is told of by immediate lines, one per attempt and
 * passdb, while it is open, and by a final line with the number of all attempts.
 * Immediate lines count at once, once per attempt (`refusals`); the final line adds what is
 * missing. PAM's lines, and ends in a format of the administrator's own, have no session: they
 * count at once, unless a session's lines have told of the same attempt (`untied`).
 *
 * Time is the lines' own, never the clock's: who reads the same lines again from the same
 * state counts the same. The clock only says when what is old may be forgotten.
 */
import type { Address } from "../wire/address.ts";
import { dropOldest } from "./oldest.ts";
import type { Reading } from "./reading.ts";
import { learn, newChain, noRefusals, noteRefusal, type Chain, type Refusals } from "./refusals.ts";
import { createUntiedAttempts, SLACK_MS, type Untied } from "./untied.ts";

/** The ledger's state as plain data, see `snapshot`. */
export interface LedgerSnapshot {
  now: number;
  sessions: [string, Session][];
  untied: [Address, Untied[]][];
  chains: [string, Chain][];
}

export interface Session {
  lastAt: number;
  /** Attempts that have been counted. */
  counted: number;
  /** By source. */
  refusals: Record<string, Refusals>;
}

export interface Ledger {
  /** A source will be read; what several tell of the same attempts is found in any order. */
  join(source: string): void;
  /**
   * How many attempts this line adds, in a log of `source`, written at `at` and read at
   * `readAt`.
   */
  count(reading: Reading, source: string, at: number, readAt: number): number;
  snapshot(): LedgerSnapshot;
  readonly sizes: { sessions: number; untied: number };
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
/**
 * Several sources are read one after another where much is to be read: what one has told is
 * kept for so long by the clock that the others were read, too.
 */
const KEEP_FOR_OTHERS_MS = 60_000;
const MOVE_AFTER_MS = 150_000;
/** PAM takes its time (pam_fail_delay, penalties) between its line and Dovecot's. */
const PAM_BEFORE_MS = 60_000;
const LONGEST_SESSION_S = 180;

/** Of most sessions there is nothing but the end. */
const NO_REFUSALS: Record<string, Refusals> = {};

export function createLedger(options: LedgerOptions): Ledger {
  const { mode, maxSessions = 100_000, snapshot } = options;
  const sessions = new Map<string, Session>(structuredClone(snapshot?.sessions ?? []));
  const chains = new Map<string, Chain>(structuredClone(snapshot?.chains ?? []));
  const untied = createUntiedAttempts(snapshot?.untied);
  const sources = new Set<string>();
  let now = snapshot?.now ?? 0;
  let sweptAt = 0;
  let nowAtSweep = now;

  function sessionOf(name: string): Session {
    const known = sessions.get(name);
    if (known) {
      if (now - known.lastAt < MOVE_AFTER_MS) return known;
      // The Map keeps the order of insertion: the first are the longest untouched, but for that.
      sessions.delete(name);
      sessions.set(name, known);
      return known;
    }
    if (sessions.size >= maxSessions) dropOldest(sessions);
    const made = { lastAt: now, counted: 0, refusals: NO_REFUSALS };
    // A part of a line would keep all of the line in memory.
    sessions.set(` ${name}`.slice(1), made);
    return made;
  }

  function chainOf(source: string): Chain {
    const known = chains.get(source);
    if (known) return known;
    const made = newChain();
    chains.set(source, made);
    return made;
  }

  /** A PAM module's line. */
  function countPam(reading: Reading, source: string, at: number): number {
    const { address, user = "", attempts, refusedBy = "" } = reading;
    if (address === undefined) return 0;
    // Where another passdb is asked after PAM, its line tells whether the attempt was refused.
    for (const { pam, length } of chains.values()) if (pam === "early" && length > 1) return 0;
    let added = 0;
    for (let each = 0; each < attempts; each += 1) {
      if (untied.pamTells(address, user, at, source, refusedBy)) added += 1;
    }
    return added;
  }

  /** A line of the auth process. */
  function countImmediate(reading: Reading, source: string, at: number): number {
    const { address, user = "", session: name } = reading;
    if (address === undefined) return 0;
    const session = sessionOf(name ?? `${address} ${user}`);
    session.lastAt = at;
    if (session.refusals === NO_REFUSALS) session.refusals = {};
    const refusals = (session.refusals[source] ??= noRefusals());
    noteRefusal(refusals, reading, at, chainOf(source));
    let added = 0;
    for (; session.counted < refusals.attempts; session.counted += 1) {
      if (untied.sessionTells(address, user, at - PAM_BEFORE_MS, at + SLACK_MS)) added += 1;
    }
    return added;
  }

  /** The end of a connection, with the number of its attempts. */
  function countFinal(reading: Reading, source: string, at: number): number {
    const { address, user = "", session: name, verdict } = reading;
    const { seconds = LONGEST_SESSION_S } = reading;
    if (address === undefined || (verdict === "success" && name === undefined)) return 0;
    const isCounted = verdict === "failure" || mode === "aggressive";
    const stated = isCounted ? Math.max(reading.attempts, verdict === "scan" ? 1 : 0) : 0;
    const attempts = verdict === "success" ? 0 : Math.max(stated, reading.hidden);
    const from = at - seconds * 1000 - SLACK_MS;
    let added = 0;
    if (name === undefined) {
      for (let each = 0; each < attempts; each += 1) {
        if (untied.endTells(address, user, from, at, source)) added += 1;
      }
      return added;
    }
    const session = sessionOf(name);
    session.lastAt = at;
    for (; session.counted < attempts; session.counted += 1) {
      // Of one log PAM's lines have been read by now.
      const isKnown =
        sources.size < 2
          ? untied.takePam(address, undefined, from, at + SLACK_MS)
          : !untied.sessionTells(address, undefined, from, at + SLACK_MS);
      if (!isKnown) added += 1;
    }
    if (verdict === "failure" && session.refusals !== NO_REFUSALS) {
      for (const each in session.refusals) {
        const refusals = session.refusals[each];
        if (refusals) learn(chainOf(each), refusals, reading.attempts);
      }
    }
    return added;
  }

  function sweep(readAt: number): void {
    if (now - nowAtSweep < SWEEP_EVERY_MS) return;
    const hasOthers = sources.size > 1;
    if (hasOthers && Math.abs(readAt - sweptAt) < KEEP_FOR_OTHERS_MS) return;
    // With others, what was old when it was last swept.
    const before = (hasOthers ? nowAtSweep : now) - FORGET_AFTER_MS;
    sweptAt = readAt;
    nowAtSweep = now;
    for (const [name, { lastAt }] of sessions) {
      if (lastAt >= before) break; // those behind it were touched later
      sessions.delete(name);
    }
    untied.forget(before);
  }

  return {
    join: (source) => void sources.add(source),
    count(reading, source, at, readAt) {
      if (reading.stage === undefined) return 0;
      now = Math.max(now, at);
      sweep(readAt);
      if (reading.stage === "final") return countFinal(reading, source, at);
      if (reading.verdict !== "failure" && mode === "normal") return 0;
      if (reading.stage === "pam") return countPam(reading, source, at);
      return countImmediate(reading, source, at);
    },
    snapshot: () => ({
      now,
      sessions: structuredClone([...sessions]),
      untied: untied.snapshot(),
      chains: structuredClone([...chains]),
    }),
    sizes: {
      get sessions() {
        return sessions.size;
      },
      get untied() {
        return untied.size;
      },
    },
  };
}
