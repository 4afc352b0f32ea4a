/**
 * Lines of Dovecot's auth and auth-worker processes: at the moment of the check, one
 * for every passdb that was asked (auth_verbose=yes).
 *
 *   auth: passwd-file(bob@example.com,192.0.2.55,<ZrmCsAVgAcDAAAI3>): Password mismatch
 *   auth(bob@example.com,192.0.2.55,sasl:plain)<ZrmCsAVgAcDAAAI3>: passwd-file: Password mismatch
 *
 * The user name stands before the address, and a message may repeat client text, so each can hold
 * the forged rest of a line. `auth-heads` therefore finds every head that Dovecot may have
 * written. All of these readings must name one address and say that the attempt was refused.
 * Otherwise nothing is counted, and the line is reported as not understood.
 */
import { findHeads, isAttempt, type AuthHead, type AuthHeads } from "./auth-heads.ts";
import { mayBeCutByBusybox, type Writer } from "./cut-line.ts";
import { emptyReading, unrecognizedReading, type Reading } from "./reading.ts";
import { readUsualHead } from "./usual-auth-line.ts";

export { isMechanism } from "./auth-heads.ts";

/** Reads a message; undefined when no auth process wrote it. */
export function readAuthLine(text: string, writer: Writer): Reading | undefined {
  const head = readUsualHead(text);
  const reading =
    head === undefined ? readAnyAuthLine(text) : readHead(head, { isNamed: false }, text);
  if (reading?.stage === undefined || !mayBeCutByBusybox(text, writer)) return reading;
  // `pam_authenticate() failed: System erro`: nobody was refused.
  return unrecognizedReading(UNRECOGNIZED);
}

/** Reads a message of any shape; undefined when no auth process wrote it. */
export function readAnyAuthLine(text: string): Reading | undefined {
  const found = findHeads(text);
  if (found === undefined) return undefined;
  const all = [...found.heads, ...found.unlikely];
  const [first] = all;
  if (!first) {
    return ILLEGAL_PASSWORD.includes(text) ? readIllegalPassword() : emptyReading("auth-other");
  }
  const agree = all.every((head) => isAttempt(head) && head.address === first.address);
  if (agree && first.address !== undefined) {
    // A rejected name is `?`, and is repeated in the message; other names stand before the head.
    return readHead(first.user === "?" ? first : (found.heads.at(-1) ?? first), found, text);
  }
  const isSuspect = all.some((head) => isAttempt(head) || head.said.form === UNRECOGNIZED);
  return isSuspect ? unrecognizedReading(UNRECOGNIZED) : emptyReading("auth-other");
}

const UNRECOGNIZED = "auth-unrecognized";

/** 2.3 does not say whose. */
const ILLEGAL_PASSWORD: readonly string[] = [
  "auth: Attempted login with password having illegal chars",
  "auth: Info: Attempted login with password having illegal chars",
];

function readIllegalPassword(): Reading {
  const reading = emptyReading("auth-illegal-password");
  reading.stage = "immediate";
  return reading;
}

function readHead(head: AuthHead, { isNamed }: Pick<AuthHeads, "isNamed">, text: string): Reading {
  const { said, user } = head;
  const reading = emptyReading(said.form);
  reading.verdict = said.verdict;
  reading.address = head.address;
  reading.session = head.session;
  reading.user = user === "?" ? undefined : user;
  reading.refusedBy = head.refusedBy;
  reading.isMaster = head.isMaster;
  reading.isNamed = isNamed;
  reading.isUnknownHere = said.form === "auth-unknown-user" || said.form === "auth-pam-failed";
  reading.isRight = said.isRight;
  reading.stage = "immediate";
  if (said.verdict === "failure" || said.verdict === "aggressive") reading.attempts = 1;
  reading.showsPassword = text.includes("given password: ");
  return reading;
}
