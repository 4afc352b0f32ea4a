/**
 * How many attempts a connection's end adds to those that lines have reported before, and what a
 * login takes back.
 */
import type { Address } from "../../wire/address.ts";
import type { Reading } from "../dovecot/reading.ts";
import { SLACK_MS } from "./attempts-by-address.ts";
import { closeConnection, mostOf, statedBy } from "./connection-end.ts";
import { chainOf, type CountedLine, type LedgerState } from "./ledger-state.ts";
import {
  isCheckedAfterAll,
  learnLength,
  learnMethod,
  reportsAll,
  type PassdbChain,
} from "./passdb-chain.ts";
import { accept, totalOf } from "./session-attempts.ts";
import { linesOf, NO_LINES, type Session } from "./session-store.ts";

const LONGEST_SESSION_S = 180;

/** A login, or the end of a connection with the number of its attempts. */
export function countEnd(state: LedgerState, line: CountedLine): number {
  const { source, chain, at } = line;
  const { session: name } = line.reading;
  const known = name === undefined ? undefined : state.sessions.find(name);
  learnMethod(chain, line.reading, (known?.bySource[source]?.reports ?? 0) > 0);
  const isChecked = isCheckedAfterAll(chain, line.reading);
  const reading = isChecked ? asFailure(line.reading) : line.reading;
  const { address, verdict } = reading;
  state.pam.seesLogin();
  if (verdict === "success" || reading.isRight) countSuccess(state, reading, known, at);
  if (verdict === "success") chain.isPamMissing = false;
  if (address === undefined) return 0;
  const end = { reading, address, source, chain, at, from: beginningOf(reading, at) };
  return name === undefined ? countNameless(state, end) : countNamed(state, end, name, known);
}

const asFailure = (reading: Reading): Reading => ({ ...reading, verdict: "failure" });

/** Attempts of the connection cannot have been made before. */
function beginningOf({ seconds = LONGEST_SESSION_S }: Reading, at: number): number {
  return at - seconds * 1000 - SLACK_MS;
}

/** The end of a connection of `address`. */
interface End {
  reading: Reading;
  address: Address;
  source: string;
  chain: PassdbChain;
  at: number;
  /** When the connection began, or earlier. */
  from: number;
}

/** Somebody has given the right password; `known` is the session that the line names. */
function countSuccess(
  { sessions, untied, provisional, pam, chains }: LedgerState,
  { address, user, session: name }: Reading,
  known: Session | undefined,
  at: number,
): void {
  if (address === undefined || user === undefined) return;
  const success = { address, user, at };
  const likely = name ?? untied.sessionOf(success);
  const session = name === undefined && likely !== undefined ? sessions.find(likely) : known;
  if (session) {
    let isCounted = false;
    for (const source in session.bySource) {
      const lines = session.bySource[source];
      if (lines && accept(lines, chainOf(chains, source), user, at)) isCounted = true;
    }
    if (isCounted) provisional.takeBack(session, untied.lastOf(address, likely));
  }
  const behindPam = pam.accept(success);
  if (behindPam) provisional.withdraw(behindPam);
}

/** The end of a connection that names its session. */
function countNamed(
  state: LedgerState,
  end: End,
  name: string,
  known: Session | undefined,
): number {
  const { reading, address, source, chain, at } = end;
  const stated = statedBy(reading, chain, state.mode);
  if (stated === 0 && !known) return 0;
  const session = state.sessions.ensure(name, known, at, state.now);
  if (session.bySource === NO_LINES && state.sources.size < 2 && !reportsAll(chain)) {
    // Nothing but the end reports such a session: its attempts come on top of earlier ones.
    const target = session.counted + (chain.isPamMissing ? 0 : stated);
    return addUpTo(state, end, name, session, target);
  }
  const target = closeConnection(linesOf(session, source), reading, chain, state.mode, at);
  const added = addUpTo(state, end, name, session, target);
  // Lines may have reported more than the end allows: a passdb did not know who was then let in.
  let isTakenBack = true;
  while (isTakenBack && session.counted > highestOf(session)) {
    isTakenBack = state.provisional.takeBack(session, state.untied.lastOf(address, name));
  }
  return added;
}

/** Counts the session's attempts up to `target`. Returns how many of them nothing has counted. */
function addUpTo(
  { sources, untied }: LedgerState,
  { address, from, at }: End,
  name: string,
  session: Session,
  target: number,
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
function countNameless(state: LedgerState, end: End): number {
  const { reading, address, source, chain, at, from } = end;
  const { user = "", verdict } = reading;
  const stated = statedBy(reading, chain, state.mode);
  const merged = verdict === "failure" ? learnFromAny(state, end, stated) : 0;
  let attempts = stated;
  if (state.mode === "normal" && reportsAll(chain)) {
    const reported = state.untied.reportedWithin(address, from, at + SLACK_MS, source) + merged;
    if (reported > 0 || user === "") attempts = Math.min(stated, reported);
  }
  let added = 0;
  for (let each = 0; each < attempts; each += 1) {
    if (state.untied.endTells(address, user, from, at, source)) added += 1;
  }
  return added;
}

/**
 * It is plain of which session an end is where only one is left. Returns how many attempts more
 * its lines may report.
 */
function learnFromAny(
  { sessions, untied, chains }: LedgerState,
  { address, from, at }: End,
  attempts: number,
): number {
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
    const chain = chainOf(chains, source);
    learnLength(chain, { lines: lines.lines, pam: lines.pam, attempts, isWhole: false });
    most = Math.max(most, mostOf(lines, chain));
  }
  return Math.max(most - only.counted, 0);
}
