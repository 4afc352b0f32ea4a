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
  const module = MODULE.exec(text);
  // `dovecot(pam_unix)[26236]: authentication failure; ...`: PAM names itself in the tag.
  if (!module && !program?.endsWith(")")) {
    return program === "PAM-warn" ? emptyReading("pam-companion") : undefined;
  }
  const [head = "", service = "dovecot"] = module ?? [];
  const body = text.slice(head.length);
  // Dovecot names itself as the terminal, whatever the service is called.
  if (!service.startsWith("dovecot") && !TERMINAL.test(body)) return undefined;
  const failure = FAILURE.exec(body);
  // `check pass; user unknown` and others say again what the failure says.
  if (!failure || hasNoAddress(body)) return emptyReading("pam-companion");
  const found = mayBeCut(text, writer) ? undefined : readPeer(body);
  if (!found) return unrecognizedReading("pam-unrecognized");
  const by = module ? head.slice(0, -2) : program;
  const reading = emptyReading("pam-authentication-failure");
  reading.verdict = "failure";
  reading.stage = "pam";
  reading.attempts = Number(failure[1] ?? 1);
  reading.user = found.user === "" ? undefined : found.user;
  reading.address = found.address;
  reading.refusedBy = by;
  // pam_unix names the user again where it knows him; others always do.
  reading.isUnknownHere = !found.isNamed || by?.includes("pam_unix") !== true;
  return reading;
}

/** PAM was asked without an address, as by `doveadm auth test`: its only ` rhost=` is empty. */
function hasNoAddress(body: string): boolean {
  const [, behind, ...more] = body.split(" rhost=");
  return more.length === 0 && (behind === "" || behind?.startsWith(" ") === true);
}

interface Peer {
  user: string;
  address: Address;
  /** The user is named again, behind the address. */
  isNamed: boolean;
}

/** The user whom PAM has refused; undefined: the line does not name that user for certain. */
function readPeer(body: string): Peer | undefined {
  const named = / ruser=(.*)$/s.exec(body)?.[1] ?? "";
  let found: Peer | undefined;
  for (const { index, 0: key } of named.matchAll(/ rhost=/g)) {
    const peer = readEnd(named.slice(index + key.length), named.slice(0, index));
    if (peer && found && peer.address !== found.address) return undefined;
    found = peer ?? found;
  }
  return found;
}

/**
 * `192.0.2.55  user=bob` or `192.0.2.55 ` to the end of the line. A module may write the name
 * otherwise behind the address, but does not put an address into it.
 */
function readEnd(text: string, user: string): Peer | undefined {
  const [value = ""] = text.split(" ", 1);
  const address = parseAddress(value);
  if (address === undefined) return undefined;
  const rest = text.slice(value.length).trimStart();
  if (rest === "") return { user, address, isNamed: false };
  if (!rest.startsWith("user=") || piecesOf(rest) > piecesOf(user)) return undefined;
  return { user, address, isNamed: true };
}

/** Pieces between addresses. */
const piecesOf = (text: string): number => text.split(" rhost=").length;
