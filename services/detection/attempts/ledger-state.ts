/**
 * All that the ledger knows between two lines. The functions that count the three kinds of lines
 * (`count-refusal`, `count-pam`, `count-end`) share it; nothing else changes it.
 */
import type { Reading } from "../dovecot/reading.ts";
import type { UntiedAttempts } from "./attempts-by-address.ts";
import type { Mode } from "./connection-end.ts";
import type { PamHabits } from "./pam-behavior.ts";
import { newChain, type PassdbChain } from "./passdb-chain.ts";
import type { ProvisionalAttempts } from "./provisional-attempts.ts";
import type { SessionStore } from "./session-store.ts";

export interface LedgerState {
  readonly mode: Mode;
  /** Connections by their session ids, and by address and user where a line has no session id. */
  readonly sessions: SessionStore;
  /** What the lines of each source have shown about its passdbs. */
  readonly chains: Map<string, PassdbChain>;
  /** Counted attempts by address, for lines that name no session. */
  readonly untied: UntiedAttempts;
  /** Counted attempts that a login may still withdraw. */
  readonly provisional: ProvisionalAttempts;
  readonly pam: PamHabits;
  /** The sources that are read. Two sources may report the same attempt in any order. */
  readonly sources: Set<string>;
  /** When the newest line was written, epoch milliseconds. */
  now: number;
}

/** A line that is being counted. */
export interface CountedLine {
  readonly reading: Reading;
  readonly source: string;
  /** What is known of the passdbs of the line's source. */
  readonly chain: PassdbChain;
  /** When the line was written, epoch milliseconds. */
  readonly at: number;
  /** When the line was read, by the clock; epoch milliseconds. */
  readonly readAt: number;
}

export function chainOf(chains: Map<string, PassdbChain>, source: string): PassdbChain {
  let chain = chains.get(source);
  if (chain === undefined) {
    chain = newChain();
    chains.set(source, chain);
  }
  return chain;
}
