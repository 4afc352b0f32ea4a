/**
 * Lines that PAM modules write when Dovecot asks them: at once, one per attempt, with
 * neither session nor service.
 *
 *   pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=bob
 *     rhost=192.0.2.55  user=bob
 *
 * The user name is not cleaned. It stands before the address and, where PAM knows the user, behind
 * it, so a name that holds ` rhost=` makes a line with several addresses. Every place where the
 * line may end as PAM ends it is one possible reading. All of them must name one address.
 * Otherwise nothing is counted, and the line is reported as not understood.
 */
import { parseAddress, type Address } from "../../wire/address.ts";
import { mayBeCut, type Writer } from "./cut-line.ts";
import { emptyReading, unrecognizedReading, type Reading } from "./reading.ts";

/** `pam_unix(dovecot:auth): `, `pam_sss(imap:auth): `: the service is as the administrator named it. */
const MODULE = /^pam_[a-z0-9_]{1,24}\(([\w.-]{1,48}):[a-z]{1,16}\): /;
/** `authentication failure; `, `2 more authentication failures; `. */
const FAILURE = /^(?:authentication failure|(\d{1,4}) more authentication failures?); /;

const TERMINAL = /^[a-z0-9 ]{1,60}; logname=\S{0,40} uid=\d{1,10} euid=\d{1,10} tty=dovecot ruser=/;

/** Reads a message; undefined when no PAM module wrote it. */
export function readPamLine(text: string, writer: Writer): Reading | undefined {
  const { program } = writer;
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
  // `check pass; user unknown` and others say again what the failure says.
  if (!failure || hasNoAddress(body)) return emptyReading("pam-companion");
  const found = mayBeCut(text, writer) ? undefined : readPeer(body);
  if (!found) return unrecognizedReading("pam-unrecognized");
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

/** PAM was asked without an address, as by `doveadm auth test`: its only ` rhost=` is empty. */
function hasNoAddress(body: string): boolean {
  const at = body.indexOf(" rhost=");
  return at >= 0 && at === body.lastIndexOf(" rhost=") && (body[at + 7] ?? " ") === " ";
}

interface Peer {
  user: string;
  address: Address;
  /** The user is named again, behind the address. */
  isNamed: boolean;
}

/** Who was refused; undefined: the line names nobody, or does not tell which of several. */
function readPeer(body: string): Peer | undefined {
  const start = body.indexOf(" ruser=") + 7;
  if (start < 7) return undefined;
  let found: Peer | undefined;
  for (let at = body.indexOf(" rhost=", start); at >= 0; at = body.indexOf(" rhost=", at + 1)) {
    const peer = readEnd(body, at, body.slice(start, at));
    if (peer && found && peer.address !== found.address) return undefined;
    found = peer ?? found;
  }
  return found;
}

/**
 * ` rhost=192.0.2.55  user=bob` or ` rhost=192.0.2.55 ` to the end of the line. A module may write
 * the name otherwise behind the address, but does not put an address into it.
 */
function readEnd(body: string, at: number, user: string): Peer | undefined {
  const from = at + 7;
  const space = body.indexOf(" ", from);
  const end = space < 0 ? body.length : space;
  const address = parseAddress(body.slice(from, end));
  if (address === undefined) return undefined;
  const rest = body.slice(end).trimStart();
  if (rest === "") return { user, address, isNamed: false };
  if (!rest.startsWith("user=") || countAddresses(rest) > countAddresses(user)) return undefined;
  return { user, address, isNamed: true };
}

const countAddresses = (text: string): number => text.split(" rhost=").length - 1;
