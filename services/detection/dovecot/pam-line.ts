/**
 * Lines that PAM modules write when Dovecot asks them: at once, one per attempt, with
 * neither session nor service.
 *
 *   pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=bob
 *     rhost=192.0.2.55  user=bob
 *
 * The user name is not cleaned and stands before the address and, where PAM knows the user,
 * behind it. A name that holds ` rhost=` can make a line that reads well with another address,
 * all the more where the log cuts it: nobody is counted by such a line, and Dovecot's own
 * at the connection's end tells.
 */
import { parseAddress, type Address } from "../../wire/address.ts";
import { emptyReading, type Reading } from "./reading.ts";

/** `pam_unix(dovecot:auth): `, `pam_sss(imap:auth): `: the service is as the administrator named it. */
const MODULE = /^pam_[a-z0-9_]{1,24}\(([\w.-]{1,48}):[a-z]{1,16}\): /;
/** `authentication failure; `, `2 more authentication failures; `. */
const FAILURE = /^(?:authentication failure|(\d{1,4}) more authentication failures?); /;

const TERMINAL = /^[a-z0-9 ]{1,60}; logname=\S{0,40} uid=\d{1,10} euid=\d{1,10} tty=dovecot ruser=/;

/** Reads a message of `program`; undefined when no PAM module wrote it. */
export function readPamLine(text: string, program: string | undefined): Reading | undefined {
  const module = text.startsWith("pam_") ? MODULE.exec(text.slice(0, 90)) : null;
  // `dovecot(pam_unix)[26236]: authentication failure; ...`: PAM names itself in the tag.
  const isTagged = program?.endsWith(")") && /^dovecot[\w-]{0,32}\(pam_[a-z0-9_]+\)$/.test(program);
  if (!module && !isTagged) {
    return program === "PAM-warn" ? emptyReading("pam-companion") : undefined;
  }
  const body = module ? text.slice(module[0].length) : text;
  const failure = FAILURE.exec(body.slice(0, 60));
  // Dovecot names itself as the terminal, whatever the service is called.
  const isDovecot =
    !module?.[1] || module[1].startsWith("dovecot") || TERMINAL.test(body.slice(0, 160));
  if (!isDovecot) return undefined;
  const found = failure ? readAddress(body) : undefined;
  // `check pass; user unknown` and others say again what the failure says.
  if (!failure || !found) return emptyReading("pam-companion");
  const reading = emptyReading("pam-authentication-failure");
  reading.verdict = "failure";
  reading.stage = "pam";
  reading.attempts = failure[1] === undefined ? 1 : Number(failure[1]);
  reading.user = found.user === "" ? undefined : found.user;
  reading.address = found.address;
  reading.refusedBy = module ? module[0].slice(0, -2) : (program ?? "");
  // pam_unix names the user again where it knows him; others always do.
  reading.isUnknownHere = !found.isNamed || !reading.refusedBy.includes("pam_unix");
  return reading;
}

/** undefined: there is none, or one cannot tell which it is. */
function readAddress(
  body: string,
): { user: string; address: Address; isNamed: boolean } | undefined {
  const start = body.indexOf(" ruser=");
  const at = start < 0 ? -1 : body.indexOf(" rhost=", start);
  if (at < 0 || body.includes(" rhost=", at + 1)) return undefined;
  const from = at + 7;
  const space = body.indexOf(" ", from);
  const address = parseAddress(body.slice(from, space < 0 ? body.length : space));
  if (address === undefined) return undefined;
  const isNamed = space >= 0 && body.startsWith(" user=", space + 1);
  return { user: body.slice(start + 7, at), address, isNamed };
}
