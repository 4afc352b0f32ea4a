/**
 * One attempt, one failure, whatever the log says about it.
 *
 * While a session (one connection) is open, immediate lines report it, one per attempt and passdb.
 * A final line reports the number of all attempts.
 * Immediate lines count at once, once per attempt (`count-refusal`); the final line adds what is
 * missing (`count-end`). PAM's lines (`count-pam`), and ends in a format of the administrator's
 * own, have no session: they count at once, unless a session's lines have told of the same attempt
 * (`attempts-by-address`).
 *
 * Where only what comes next tells whether it was a refusal at all, what is counted
 * is provisional (`provisional-attempts`): a success of the same attempt withdraws it.
 *
 * Time is the lines' own, never the clock's: who reads the same lines again from the same
 * state counts the same. The clock only says when what is old may be forgotten.
 */
import type { Address } from "../../wire/address.ts";
import type { Reading } from "../dovecot/reading.ts";
import { REPEATED_APART_MS } from "../lines/repetition.ts";
import { UntiedAttempts, type Untied } from "./attempts-by-address.ts";
import type { Mode } from "./connection-end.ts";
import { countEnd } from "./count-end.ts";
import { countPam } from "./count-pam.ts";
import { countRefusal } from "./count-refusal.ts";
import { MAX_ATTEMPTS } from "./failure.ts";
import { chainOf, type CountedLine, type LedgerState } from "./ledger-state.ts";
import { createPamHabits, type Habits } from "./pam-behavior.ts";
import { noteUnread, type PassdbChain } from "./passdb-chain.ts";
import type { Provisional } from "./provisional.ts";
import { ProvisionalAttempts } from "./provisional-attempts.ts";
import { createSessionStore, type Session } from "./session-store.ts";

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
   * What this line adds, in a log of `source`, written at `at` and read at `readAt`; undefined:
   * nothing. The ledger keeps texts of the reading.
   */
  count(reading: Reading, source: string, at: number, readAt: number): Counted | undefined;
  /** Attempts that lines have shown to be none since the last call, each by the name of its failure. */
  takeWithdrawn(): readonly Provisional[];
  /** The failure is on its way: no attempt of it is withdrawn from now on. */
  settle(provisional: Provisional): void;
  snapshot(): LedgerSnapshot;
  readonly sizes: { sessions: number; untied: number };
}

/** What a line adds to what was counted before. */
export interface Counted {
  attempts: number;
  /** undefined: the attempts are certain. */
  provisional: Provisional | undefined;
}

export interface LedgerOptions {
  mode: Mode;
  /** What is read is over: to wait for what comes next costs nothing. */
  canWait?: boolean;
  /** Beyond this number of sessions, the ledger drops those that it has not seen for longest. */
  maxSessions?: number;
  snapshot?: LedgerSnapshot | undefined;
}

/** A login process ends a connection after 180 s; what is older is not coming back. */
const FORGET_AFTER_MS = 600_000;
const SWEEP_EVERY_MS = 150_000;
/**
 * An agent with much to read reads its sources one after another. The ledger keeps the lines of one
 * source for this time, by the clock, until the agent has read the other sources.
 */
const KEEP_FOR_OTHERS_MS = 60_000;

export function createLedger(options: LedgerOptions): Ledger {
  const state = openState(options);
  const { sessions, untied, chains, provisional, pam, sources } = state;
  const sweep = createSweep(state);
  return {
    join: (source) => void sources.add(source),
    count(reading, source, at, readAt) {
      provisional.startLine();
      const chain = chainOf(chains, source);
      const isUnread = reading.isUnrecognized || reading.form === "auth-illegal-password";
      if (isUnread && reading.address === undefined) noteUnread(chain, at);
      if (reading.isProxied) chain.isProxy = true;
      if (reading.stage === undefined) return undefined;
      state.now = Math.max(state.now, at);
      chain.since ??= at;
      sweep(readAt);
      const attempts = countAll(state, { reading, source, chain, at, readAt });
      return attempts === 0 ? undefined : { attempts, provisional: provisional.ofLine() };
    },
    takeWithdrawn: () => provisional.takeWithdrawn(),
    settle: (name) => provisional.settle(name),
    snapshot: () => ({
      now: state.now,
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

function openState(options: LedgerOptions): LedgerState {
  const { mode, maxSessions = 100_000, canWait = false, snapshot } = options;
  const chains = new Map<string, PassdbChain>(structuredClone(snapshot?.chains));
  const untied = new UntiedAttempts(snapshot?.untied);
  const sources = new Set<string>();
  return {
    mode,
    sessions: createSessionStore(maxSessions, snapshot?.sessions),
    chains,
    untied,
    provisional: new ProvisionalAttempts(),
    pam: createPamHabits({ untied, chains, sources, canWait, known: snapshot?.habits }),
    sources,
    now: snapshot?.now ?? 0,
  };
}

/** Counts a line, and as many others like it as it stands for. */
function countAll(state: LedgerState, line: CountedLine): number {
  const { repeat } = line.reading;
  if (repeat === 1) return countOnce(state, line);
  let attempts = 0;
  for (let before = Math.min(repeat, MAX_ATTEMPTS) - 1; before >= 0; before -= 1) {
    attempts += countOnce(state, { ...line, at: line.at - before * REPEATED_APART_MS });
  }
  return attempts;
}

function countOnce(state: LedgerState, line: CountedLine): number {
  if (line.reading.stage === "final") return countEnd(state, line);
  if (line.reading.stage === "pam") return countPam(state, line);
  return countRefusal(state, line);
}

/** Forgets, now and then, what is so old that no line will ask for it. */
function createSweep(state: LedgerState): (readAt: number) => void {
  let sweptAt = 0;
  let nowAtSweep = state.now;
  return (readAt) => {
    const { now } = state;
    if (now - nowAtSweep < SWEEP_EVERY_MS) return;
    const hasOthers = state.sources.size > 1;
    if (hasOthers && Math.abs(readAt - sweptAt) < KEEP_FOR_OTHERS_MS) return;
    // With others, what was old when it was last swept.
    const before = (hasOthers ? nowAtSweep : now) - FORGET_AFTER_MS;
    sweptAt = readAt;
    nowAtSweep = now;
    state.sessions.forget(before);
    state.untied.forget(before);
    state.pam.forget(before);
  };
}
