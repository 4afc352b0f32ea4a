/**
 * How many attempts a line adds that is written while the connection goes on: a line of the auth
 * process about a passdb or a mechanism, or a proxy's line about the server behind it.
 */
import type { Reading } from "../dovecot/reading.ts";
import { SLACK_MS, type Untied } from "./attempts-by-address.ts";
import { READ_LATE_MS } from "./provisional.ts";
import type { CountedLine, LedgerState } from "./ledger-state.ts";
import { heldFor } from "./passdb-chain.ts";
import {
  forgive,
  noteProxied,
  noteRefusal,
  noteSpared,
  totalOf,
  type SessionAttempts,
} from "./session-attempts.ts";
import { linesOf, type Session } from "./session-store.ts";

/** PAM takes its time (pam_fail_delay, penalties) between its line and Dovecot's. */
const PAM_BEFORE_MS = 60_000;

export function countRefusal(state: LedgerState, line: CountedLine): number {
  const { reading, source, chain, at } = line;
  const { address, user = "", session: name } = reading;
  if (address === undefined) return 0;
  const key = name ?? `${address} ${user}`;
  const known = state.sessions.find(key);
  if (reading.isRight) {
    const lines = known?.bySource[source];
    if (known && lines && forgive(lines, chain)) takeBack(state, known, reading);
    return 0;
  }
  if (isVerboseOnly(reading)) chain.isVerbose = true;
  const session = state.sessions.ensure(key, known, at, state.now);
  const lines = linesOf(session, source);
  if (isSpared(state, line)) {
    if (noteNoGuess(lines, line)) takeBack(state, session, reading);
    return 0;
  }
  state.provisional.hearSilence(at);
  // A line may end somebody else's attempt, which is counted now.
  let whose = lines.open > 0 && !lines.isCounted ? lines.user : user;
  if (reading.isProxied) noteProxied(lines, user, at);
  else noteRefusal(lines, reading, at, chain);
  let added = 0;
  for (; session.counted < totalOf(lines); session.counted += 1) {
    const [from, to] = [at - PAM_BEFORE_MS, at + SLACK_MS];
    const attempt = state.untied.sessionTells(address, whose, from, to, name);
    whose = user;
    if (!attempt) continue;
    added += 1;
    addProvisional(state, line, attempt);
  }
  return added;
}

/** The attempt is provisional, if a login may still show that another passdb accepts the password. */
function addProvisional({ provisional }: LedgerState, line: CountedLine, attempt: Untied): void {
  const { reading, chain, at, readAt } = line;
  const ms = heldFor(reading, chain);
  if (ms === undefined) return;
  const group = provisional.add(attempt, readAt + (ms === 0 ? 0 : ms + READ_LATE_MS));
  if (chain.length === 0) provisional.await(group, at, chain);
}

/** The last attempt of the session that was counted was none. */
function takeBack(
  { provisional, untied }: LedgerState,
  session: Session,
  { address, session: name }: Reading,
): void {
  if (address !== undefined) provisional.takeBack(session, untied.lastOf(address, name));
}

/** Was this no guess, though the connection's end will count it? */
function isSpared({ mode }: LedgerState, { reading, chain }: CountedLine): boolean {
  const { verdict, form } = reading;
  if (verdict === "spared" || (verdict === "aggressive" && mode === "normal")) return true;
  return chain.isPamMissing && form === "auth-pam-failed";
}

/** Notes an attempt that was no guess. Returns whether it has been counted. */
function noteNoGuess(lines: SessionAttempts, { reading, chain, at }: CountedLine): boolean {
  if (reading.form === "auth-pam-missing") chain.isPamMissing = true;
  if (reading.form !== "auth-policy-refused") return noteSpared(lines, reading, at);
  lines.unsure += 1;
  return false;
}

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
