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
import { REPEATED_APART_MS } from "../lines/repetition.ts";
import type { Reading } from "../dovecot/reading.ts";
import { closeConnection, mostOf, statedBy } from "./connection-end.ts";
import {
  ACCEPTED_WITHIN_MS,
  heldFor,
  isCheckedAfterAll,
  learnLength,
  learnMethod,
  noteUnread,
  newChain,
  reportsAll,
  type PassdbChain,
} from "./passdb-chain.ts";
import {
  accept,
  forgive,
  noAttempts,
  noteProxied,
  noteRefusal,
  noteSpared,
  totalOf,
  type SessionAttempts,
} from "./session-attempts.ts";
import { copyOf, createSessionStore, NO_LINES, type Session } from "./session-store.ts";
import { createUntiedAttempts, SLACK_MS, type Untied } from "./attempts-by-address.ts";

/** The ledger's state as plain data, see `snapshot`. */
export interface LedgerSnapshot {
  now: number;
  sessions: [string, Session][];
  untied: [Address, Untied[]][];
  chains: [string, PassdbChain][];
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
  const chains = new Map<string, PassdbChain>(structuredClone(snapshot?.chains));
  const untied = createUntiedAttempts(snapshot?.untied);
  const holds = new WeakMap<Untied, Hold>();
  /** Attempts of unknown chains that are waited for, in their order. */
  const waiting: { at: number; hold: Hold; chain: PassdbChain }[] = [];
  let hold: Hold | undefined;
  const sources = new Set<string>();
  const pam = createPamHabits({ untied, chains, sources, canWait, known: snapshot?.habits });
  let now = snapshot?.now ?? 0;
  let sweptAt = 0;
  let nowAtSweep = now;

  function chainOf(source: string): PassdbChain {
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

  function sessionOf(name: string, at: number): Session {
    const session = sessions.ensure(name, now);
    session.lastAt = at;
    return session;
  }

  function linesOf(session: Session, source: string): SessionAttempts {
    if (session.bySource === NO_LINES) session.bySource = {};
    return (session.bySource[source] ??= noAttempts());
  }

  /** A line of the auth process, or of a proxy. */
  function countImmediate(reading: Reading, source: string, at: number, readAt: number): number {
    const { address, user = "", session: name, form } = reading;
    const chain = chainOf(source);
    if (address === undefined) return 0;
    const key = name ?? `${address} ${user}`;
    if (reading.isRight) {
      const session = sessions.find(key);
      const lines = session?.bySource[source];
      if (session && lines && forgive(lines, chain)) takeBack(session, name, address);
      return 0;
    }
    if (isVerboseOnly(reading)) chain.isVerbose = true;
    const session = sessionOf(key, at);
    const lines = linesOf(session, source);
    if (isSpared(reading, chain)) {
      if (form === "auth-pam-missing") chain.isPamMissing = true;
      if (form === "auth-policy-refused") lines.unsure += 1;
      else if (noteSpared(lines, reading, at)) takeBack(session, name, address);
      return 0;
    }
    hearSilence(at);
    // A line may end somebody else's attempt, which is counted now.
    let whose = lines.open > 0 && !lines.isCounted ? lines.user : user;
    if (reading.isProxied) noteProxied(lines, user, at);
    else noteRefusal(lines, reading, at, chain);
    let added = 0;
    for (; session.counted < totalOf(lines); session.counted += 1) {
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

  /** Was this no guess, though the connection's end will count it? */
  function isSpared({ verdict, form }: Reading, { isPamMissing }: PassdbChain): boolean {
    if (verdict === "spared" || (verdict === "aggressive" && mode === "normal")) return true;
    return isPamMissing && form === "auth-pam-failed";
  }

  /** Nobody was let in behind what has waited long enough. */
  function hearSilence(at: number): void {
    for (let first = waiting[0]; first && at - first.at > ACCEPTED_WITHIN_MS; first = waiting[0]) {
      waiting.shift();
      if (first.hold.withdrawn === 0) first.chain.silent += 1;
    }
  }

  /** The last attempt of the session that was counted was none; false: it is too late. */
  function takeBack(session: Session, name: string | undefined, address: Address): boolean {
    const attempt = untied.lastOf(address, name);
    if (!attempt || !withdraw(holds.get(attempt))) return false;
    holds.delete(attempt);
    session.counted -= 1;
    return true;
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
      for (const source in own.bySource) {
        const lines = own.bySource[source];
        if (lines && accept(lines, chainOf(source), user, at)) isCounted = true;
      }
      if (isCounted) takeBack(own, name, address);
    }
    const behindPam = pam.accept(success);
    if (behindPam) withdraw(holds.get(behindPam));
  }

  /** The end of a connection, with the number of its attempts. */
  function countFinal(line: Reading, source: string, at: number): number {
    const chain = chainOf(source);
    const before = line.session === undefined ? undefined : sessions.find(line.session);
    learnMethod(chain, line, (before?.bySource[source]?.reports ?? 0) > 0);
    const reading = isCheckedAfterAll(chain, line) ? asFailure(line) : line;
    const { address, session: name, verdict } = reading;
    const { seconds = LONGEST_SESSION_S } = reading;
    pam.seesLogin();
    if (verdict === "success" || reading.isRight) countSuccess(reading, at);
    if (verdict === "success") chain.isPamMissing = false;
    if (address === undefined) return 0;
    const from = at - seconds * 1000 - SLACK_MS;
    if (name === undefined) return countNameless(reading, source, from, at);
    return countEnd(reading, name, source, from, at);
  }

  /** The end of a session's connection. */
  function countEnd(reading: Reading, name: string, source: string, from: number, at: number) {
    const { address } = reading;
    const stated = statedBy(reading, chainOf(source), mode);
    const known = sessions.find(name);
    if (address === undefined || (stated === 0 && !known)) return 0;
    const session = sessionOf(name, at);
    if (session.bySource === NO_LINES && sources.size < 2 && !reportsAll(chainOf(source))) {
      // Nothing but the end reports such a session: its attempts come on top of earlier ones.
      const target = session.counted + (chainOf(source).isPamMissing ? 0 : stated);
      return addUpTo(session, target, address, name, from, at);
    }
    const lines = linesOf(session, source);
    const target = closeConnection(lines, reading, chainOf(source), mode, at);
    const added = addUpTo(session, target, address, name, from, at);
    // Lines may have reported more than the end allows: a passdb did not know who was then let in.
    let isTakenBack = true;
    while (isTakenBack && session.counted > highestOf(session)) {
      isTakenBack = takeBack(session, name, address);
    }
    return added;
  }

  function addUpTo(
    session: Session,
    target: number,
    address: Address,
    name: string,
    from: number,
    at: number,
  ): number {
    let added = 0;
    for (; session.counted < target; session.counted += 1) {
      // Of one log PAM's lines have been read by now.
      const isKnown =
        sources.size < 2
          ? untied.takePam(address, undefined, from, at + SLACK_MS)
          : !untied.sessionTells(address, undefined, from, at + SLACK_MS, name);
      if (!isKnown) added += 1;
    }
    return added;
  }

  /** The highest count that any source has reported of the session. */
  function highestOf(session: Session): number {
    let highest = 0;
    for (const source in session.bySource) {
      const lines = session.bySource[source];
      if (lines) highest = Math.max(highest, totalOf(lines) + lines.owed);
    }
    return highest;
  }

  /** The end of a connection that does not say of which session it is. */
  function countNameless(reading: Reading, source: string, from: number, at: number): number {
    const { address, user = "", verdict } = reading;
    if (address === undefined) return 0;
    const stated = statedBy(reading, chainOf(source), mode);
    const merged = verdict === "failure" ? learnFromAny(address, from, at, stated) : 0;
    let attempts = stated;
    if (mode === "normal" && reportsAll(chainOf(source))) {
      const reported = untied.reportedWithin(address, from, at + SLACK_MS, source) + merged;
      if (reported > 0 || user === "") attempts = Math.min(stated, reported);
    }
    let added = 0;
    for (let each = 0; each < attempts; each += 1) {
      if (untied.endTells(address, user, from, at, source)) added += 1;
    }
    return added;
  }

  /**
   * It is plain of which session an end is where only one is left. Returns how many attempts more
   * its lines may report.
   */
  function learnFromAny(address: Address, from: number, at: number, attempts: number): number {
    const open = [...untied.sessionsWithin(address, from, at + SLACK_MS)]
      .map((name) => sessions.find(name))
      .filter((session) => session?.isEnded === false);
    const [only] = open;
    if (!only || open.length > 1) return 0;
    only.isEnded = true;
    let most = 0;
    for (const source in only.bySource) {
      const lines = only.bySource[source];
      if (!lines || lines.isMixed) continue;
      const { lines: count, pam } = lines;
      learnLength(chainOf(source), { lines: count, pam, attempts, isWhole: false });
      most = Math.max(most, mostOf(lines, chainOf(source)));
    }
    return Math.max(most - only.counted, 0);
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
    if (reading.stage === "final") return countFinal(reading, source, at);
    if (reading.stage === "pam") return countPam(reading, source, at, readAt);
    return countImmediate(reading, source, at, readAt);
  }

  return {
    join: (source) => void sources.add(source),
    count(reading, source, at, readAt) {
      hold = undefined;
      const isUnread = reading.isUnrecognized || reading.form === "auth-illegal-password";
      if (isUnread && reading.address === undefined) noteUnread(chainOf(source), at);
      if (reading.isProxied) chainOf(source).isProxy = true;
      if (reading.stage === undefined) return 0;
      now = Math.max(now, at);
      chainOf(source).since ??= at;
      sweep(readAt);
      let attempts = 0;
      const repeat = Math.min(reading.repeat, MAX_ATTEMPTS);
      for (let before = repeat - 1; before >= 0; before -= 1) {
        attempts += countOnce(reading, source, at - before * REPEATED_APART_MS, readAt);
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

const asFailure = (reading: Reading): Reading => ({ ...reading, verdict: "failure" });

/** Forms that say of each attempt what auth_verbose_passwords says, too. */
const FORMS_WITH_PASSWORD: ReadonlySet<string | null> = new Set([
  "auth-password-mismatch",
  "auth-unknown-user",
]);

/** Does only auth_verbose write this line? */
function isVerboseOnly({ form, verdict, showsPassword }: Reading): boolean {
  if (form === "auth-temporary-failure" || form === "auth-pam-missing") return false;
  return verdict !== "other" && !(showsPassword && FORMS_WITH_PASSWORD.has(form));
}
