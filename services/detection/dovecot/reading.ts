import type { Address } from "../../wire/address.ts";

/**
 * failure: a password was tried and refused. aggressive: something else was refused
 * (before a password was looked at), which counts in aggressive mode only. scan: a
 * connection without an attempt, likewise. success: somebody has logged in. spared: Dovecot's
 * number of attempts counts it, but it was no guess: Dovecot could not ask, or the client gave up.
 */
export type Verdict = "failure" | "aggressive" | "scan" | "spared" | "success" | "other";

/**
 * How a line is to be counted.
 * final: the login process at the end of a connection, with the number of all attempts;
 * immediate: the auth process, one attempt (one line per passdb);
 * pam: a PAM module, one attempt, without a session.
 */
export type Stage = "final" | "immediate" | "pam";

/** What one line says, taken alone. */
export interface Reading {
  /** When it was written, epoch milliseconds; undefined: nothing says. */
  at: number | undefined;
  /** Did the line say its zone? Otherwise `at` rests on the zone of the log. */
  hasZone: boolean;
  /** How many such events the line stands for. */
  repeat: number;
  /** The form's name; null: the line is none of Dovecot's that we know. */
  form: string | null;
  verdict: Verdict;
  stage: Stage | undefined;
  address: Address | undefined;
  /** Attempts that the line itself speaks of; for a final line all of the connection. */
  attempts: number;
  /** Earlier attempts of the connection that a final line's reason hides. */
  hidden: number;
  /** Final lines: exchanges that the connection has begun, guesses or not, where the line says. */
  begun: number | undefined;
  /** Final lines: exchanges that Dovecot calls successful. */
  accepted: number;
  /** Final lines: the last exchange was broken off, or was none; `hidden` are those before it. */
  isBrokenOff: boolean;
  user: string | undefined;
  service: string | undefined;
  session: string | undefined;
  /** Final lines: seconds that the connection's attempts took, where the line says. */
  seconds: number | undefined;
  /** The passdb or mechanism that refused; PAM's lines: the module and its service. */
  refusedBy: string | undefined;
  /** Immediate lines: a master user's password was refused, which no other passdb is asked about. */
  isMaster: boolean;
  /** Immediate and PAM's lines: who is refused may be known elsewhere, and be let in by another passdb. */
  isUnknownHere: boolean;
  /** Immediate lines: passdbs have names of their own, so that none says two things of one attempt. */
  isNamed: boolean;
  /** The password was right, though nobody was let in. */
  isRight: boolean;
  /** Login lines: they name a mechanism. */
  hasMethod: boolean;
  /** Immediate lines: they end with the password, or its hash (auth_verbose_passwords). */
  showsPassword: boolean;
  /** Lines of a proxy about what the server behind it said. */
  isProxied: boolean;
  /**
   * A line of Dovecot's auth or login processes that looks like an attempt, and is not counted:
   * no form knows it, or it can be read in two ways that name different addresses.
   */
  isUnrecognized: boolean;
}

/**
 * A reading that says nothing yet, to be filled by whoever makes it: one literal for all,
 * because copies of parts of objects would take more time than the reading itself.
 */
export function emptyReading(form: string | null = null): Reading {
  return {
    at: undefined,
    hasZone: false,
    repeat: 1,
    form,
    verdict: "other",
    stage: undefined,
    address: undefined,
    attempts: 0,
    hidden: 0,
    begun: undefined,
    accepted: 0,
    isBrokenOff: false,
    user: undefined,
    service: undefined,
    session: undefined,
    seconds: undefined,
    refusedBy: undefined,
    isMaster: false,
    isUnknownHere: false,
    isNamed: false,
    isRight: false,
    hasMethod: false,
    showsPassword: false,
    isProxied: false,
    isUnrecognized: false,
  };
}

/** The form of a line that would count if Dovecot had written it, and names another writer. */
export const OTHER_WRITER = "other-writer";

/** The form of a line that holds several JSON records, of which one would count alone. */
export const SEVERAL_RECORDS = "several-records";

/** A line that looks like an attempt and must be reported, because it cannot be counted. */
export function unrecognizedReading(form: string): Reading {
  const reading = emptyReading(form);
  reading.isUnrecognized = true;
  return reading;
}
