/**
 * One attempt, one failure, whatever the log says about it.
 *
 * A session (one connection) is told of by immediate lines, one per attempt and
 * passdb, while it is open, and by a final line with the number of all attempts.
 * Immediate lines count at once, once per attempt (`refusals`); the final line adds what is
 * missing. PAM's lines, and ends in a format of the administrator's own, have no session: they
 * count at once, unless a session's lines have told of the same attempt (`untied`).
 *
 * Where only what comes next tells whether it was a refusal at all, what is counted is held
 * (`hold`): a success of the same attempt takes it back.
 *
 * Time is the lines' own, never the clock's: who reads the same lines again from the same
 * state counts the same. The clock only says when what is old may be forgotten.
 */
import type { Address } from "../../wire/address.ts";
import { MAX_ATTEMPTS } from "./failure.ts";
import { createHold, READ_LATE_MS, withdraw, type Hold } from "./hold.ts";
import { createPamHabits, PAM_HELD_MS, type Habits } from "./pam-behavior.ts";
import type { Reading } from "../dovecot/reading.ts";
import {
  accept,
  ACCEPTED_WITHIN_MS,
  forgive,
  heldFor,
  learn,
  newChain,
  noRefusals,
  noteRefusal,
  type Chain,
} from "./session-attempts.ts";
import { copyOf, createSessionStore, NO_REFUSALS, type Session } from "./session-store.ts";
import { createUntiedAttempts, SLACK_MS, type Untied } from "./attempts-by-address.ts";

/** The ledger's state as plain data, see `snapshot`. */
export interface LedgerSnapshot {
  now: number;
  sessions: [string, Session][];
  untied: [Address, Untied[]][];
  chains: [string, Chain][];
  habits: Habits;
}

export interface Ledger {
  /** A source will be read; what several tell of the same attempts is found in any order. */
  join(source: string): void;
  /**
   * How many attempts this line adds, in a log of `source`, written at `at` and read at
   * `readAt`.
   */
  count(reading: Reading, source: string, at: number, readAt: number): number;
  /** What was counted last may have to be taken back. */
  readonly hold: Hold | undefined;
  snapshot(): LedgerSnapshot;
  readonly sizes: { sessions: number; untied: number };
}

export interface LedgerOptions {
  mode: "normal" | "aggressive";
  /** What is read is over: to wait for what comes next costs nothing. */
  canWait?: boolean;
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
/** PAM takes its time (pam_fail_delay, penalties) between its line and Dovecot's. */
const PAM_BEFORE_MS = 60_000;
const LONGEST_SESSION_S = 180;

export function createLedger(options: LedgerOptions): Ledger {
  const { mode, maxSessions = 100_000, canWait = false, snapshot } = options;
  const sessions = createSessionStore(maxSessions, snapshot?.sessions);
  const chains = new Map<string, Chain>(structuredClone(snapshot?.chains));
  const untied = createUntiedAttempts(snapshot?.untied);
  const holds = new WeakMap<Untied, Hold>();
  /** Attempts of unknown chains that are waited for, in their order. */
  const waiting: { at: number; hold: Hold; chain: Chain }[] = [];
  let hold: Hold | undefined;
  const sources = new Set<string>();
  const pam = createPamHabits({ untied, chains, sources, canWait, known: snapshot?.habits });
  let now = snapshot?.now ?? 0;
  let sweptAt = 0;
  let nowAtSweep = now;

  function chainOf(source: string): Chain {
    const known = chains.get(source);
    if (known) return known;
    const made = newChain();
    chains.set(source, made);
    return made;
  }

  function holdBack(attempt: Untied, ms: number, readAt: number): Hold {
    hold ??= createHold(readAt + ms);
    holds.set(attempt, hold);
    return hold;
  }

  /** A PAM module's line. */
  function countPam(reading: Reading, source: string, at: number, readAt: number): number {
    const { address, user = "", attempts, refusedBy: module = "", isUnknownHere } = reading;
    if (address === undefined) return 0;
    const line = { address, user, at, source, module, isUnknownHere };
    let added = 0;
    for (let each = 0; each < attempts; each += 1) {
      const verdict = pam.judge(line);
      const attempt = verdict === "not" ? undefined : untied.pamTells(line);
      if (!attempt) continue;
      added += 1;
      if (verdict === "held") holdBack(attempt, PAM_HELD_MS, readAt);
    }
    return added;
  }

  /** A line of the auth process. */
  function countImmediate(reading: Reading, source: string, at: number, readAt: number): number {
    const { address, user = "", session: name } = reading;
    if (address === undefined) return 0;
    if (reading.isRight) {
      const session = sessions.find(name ?? `${address} ${user}`);
      const refusals = session?.refusals[source];
      if (session && refusals && forgive(refusals, chainOf(source)))
        takeBack(session, name, address);
      return 0;
    }
    const session = sessions.ensure(name ?? `${address} ${user}`, now);
    session.lastAt = at;
    if (session.refusals === NO_REFUSALS) session.refusals = {};
    const refusals = (session.refusals[source] ??= noRefusals());
    const chain = chainOf(source);
    hearSilence(at);
    // A line may end somebody else's attempt, which is counted now.
    let whose = refusals.open > 0 && !refusals.isCounted ? refusals.user : user;
    noteRefusal(refusals, reading, at, chain);
    let added = 0;
    for (; session.counted < refusals.attempts; session.counted += 1) {
      const [from, to] = [at - PAM_BEFORE_MS, at + SLACK_MS];
      const attempt = untied.sessionTells(address, whose, from, to, name && copyOf(name));
      whose = user;
      if (!attempt) continue;
      added += 1;
      const ms = heldFor(reading, chain);
      if (ms === undefined) continue;
      const held = holdBack(attempt, ms === 0 ? 0 : ms + READ_LATE_MS, readAt);
      if (chain.length === 0) waiting.push({ at, hold: held, chain });
    }
    return added;
  }

  /** Nobody was let in behind what has waited long enough. */
  function hearSilence(at: number): void {
    for (let first = waiting[0]; first && at - first.at > ACCEPTED_WITHIN_MS; first = waiting[0]) {
      waiting.shift();
      if (first.hold.withdrawn === 0) first.chain.silent += 1;
    }
  }

  /** The last attempt of the session that was counted was none, if it is not too late. */
  function takeBack(session: Session, name: string | undefined, address: Address): void {
    const attempt = untied.lastOf(address, name);
    if (!attempt || !withdraw(holds.get(attempt))) return;
    holds.delete(attempt);
    session.counted -= 1;
  }

  /** Somebody has given the right password. */
  function countSuccess(reading: Reading, at: number): void {
    const { address, user, session } = reading;
    if (address === undefined || user === undefined) return;
    const success = { address, user, at };
    const name = session ?? untied.sessionOf(success);
    const own = name === undefined ? undefined : sessions.find(name);
    if (own) {
      let isCounted = false;
      for (const source in own.refusals) {
        const refusals = own.refusals[source];
        if (refusals && accept(refusals, chainOf(source), user, at)) isCounted = true;
      }
      if (isCounted) takeBack(own, name, address);
    }
    const behindPam = pam.accept(success);
    if (behindPam) withdraw(holds.get(behindPam));
  }

  /** The end of a connection, with the number of its attempts. */
  function countFinal(reading: Reading, source: string, at: number): number {
    const { address, user = "", session: name, verdict } = reading;
    const { seconds = LONGEST_SESSION_S } = reading;
    pam.seesLogin();
    if (verdict === "success" || reading.isRight) countSuccess(reading, at);
    if (address === undefined || verdict === "success") return 0;
    const isCounted = verdict === "failure" || mode === "aggressive";
    const stated = isCounted ? Math.max(reading.attempts, verdict === "scan" ? 1 : 0) : 0;
    const attempts = Math.max(stated, reading.hidden);
    const from = at - seconds * 1000 - SLACK_MS;
    let added = 0;
    if (name === undefined) {
      for (let each = 0; each < attempts; each += 1) {
        if (untied.endTells(address, user, from, at, source)) added += 1;
      }
      if (verdict === "failure") learnFromAny(address, from, at, attempts);
      return added;
    }
    const session = sessions.ensure(name, now);
    session.lastAt = at;
    for (; session.counted < attempts; session.counted += 1) {
      // Of one log PAM's lines have been read by now.
      const isKnown =
        sources.size < 2
          ? untied.takePam(address, undefined, from, at + SLACK_MS)
          : !untied.sessionTells(address, undefined, from, at + SLACK_MS, name);
      if (!isKnown) added += 1;
    }
    if (verdict === "failure") learnFrom(session, attempts);
    return added;
  }

  function learnFrom(session: Session, attempts: number): void {
    if (session.refusals === NO_REFUSALS) return;
    for (const each in session.refusals) {
      const refusals = session.refusals[each];
      if (refusals) learn(chainOf(each), refusals, attempts);
    }
  }

  /** The end does not say of which session it is: it is plain where only one is left. */
  function learnFromAny(address: Address, from: number, at: number, attempts: number): void {
    const open = [...untied.sessionsWithin(address, from, at + SLACK_MS)]
      .map((name) => sessions.find(name))
      .filter((session) => session?.isEnded === false);
    const [only] = open;
    if (!only || open.length > 1) return;
    only.isEnded = true;
    learnFrom(only, attempts);
  }

  function sweep(readAt: number): void {
    if (now - nowAtSweep < SWEEP_EVERY_MS) return;
    const hasOthers = sources.size > 1;
    if (hasOthers && Math.abs(readAt - sweptAt) < KEEP_FOR_OTHERS_MS) return;
    // With others, what was old when it was last swept.
    const before = (hasOthers ? nowAtSweep : now) - FORGET_AFTER_MS;
    sweptAt = readAt;
    nowAtSweep = now;
    sessions.forget(before);
    untied.forget(before);
    pam.forget(before);
  }

  function countOnce(reading: Reading, source: string, at: number, readAt: number): number {
    if (reading.verdict === "spared") return 0;
    if (reading.stage === "final") return countFinal(reading, source, at);
    if (reading.verdict !== "failure" && !reading.isRight && mode === "normal") return 0;
    if (reading.stage === "pam") return countPam(reading, source, at, readAt);
    return countImmediate(reading, source, at, readAt);
  }

  return {
    join: (source) => void sources.add(source),
    count(reading, source, at, readAt) {
      hold = undefined;
      if (reading.stage === undefined) return 0;
      now = Math.max(now, at);
      sweep(readAt);
      let attempts = 0;
      for (let each = 0; each < Math.min(reading.repeat, MAX_ATTEMPTS); each += 1) {
        attempts += countOnce(reading, source, at, readAt);
      }
      return attempts;
    },
    get hold() {
      return hold;
    },
    snapshot: () => ({
      now,
      sessions: sessions.snapshot(),
      untied: untied.snapshot(),
      chains: structuredClone([...chains]),
      habits: pam.snapshot(),
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
