/**
 * Lines of Dovecot's auth and auth-worker processes: at the moment of the check, one
 * for every passdb that was asked (auth_verbose=yes).
 *
 *   auth: passwd-file(bob@example.com,192.0.2.55,<ZrmCsAVgAcDAAAI3>): Password mismatch
 *   auth(bob@example.com,192.0.2.55,sasl:plain)<ZrmCsAVgAcDAAAI3>: passwd-file: Password mismatch
 *
 * The user name stands before the address, and may be echoed after the message, so
 * each can hold a forged rest of the line. Every place where address and a known
 * message stand together is a candidate, and the rule at `choose` decides.
 */
import { parseAddress, type Address } from "../../wire/address.ts";
import { emptyReading, type Reading, type Verdict } from "./reading.ts";

/** What the processes say, how it counts, and the form's name. */
const MESSAGES: readonly (readonly [text: string, form: string, verdict: Verdict])[] = [
  ["Password mismatch", "auth-password-mismatch", "failure"],
  ["unknown user", "auth-unknown-user", "failure"],
  ["invalid credentials", "auth-password-mismatch", "failure"],
  ["Login attempt with empty password", "auth-empty-password", "failure"],
  ["pam_authenticate() failed: ", "auth-pam-failed", "failure"],
  ["login user: Master user login attempted", "auth-master-refused", "failure"],
  ["Master user login attempted", "auth-master-refused", "failure"],
  ["allow_nets check failed", "auth-allow-nets", "failure"],
  ["No password returned", "auth-no-password", "failure"],
  // checkpassword(bob,192.0.2.55,<ZrmCsAVgAcDAAAI3>): Login failed (status=1)
  ["Login failed (status=", "auth-checkpassword-failed", "failure"],
  ["Username character disallowed by auth_username_chars", "auth-rejected-name", "aggressive"],
  ["Username contains disallowed character", "auth-rejected-name", "aggressive"],
  ["Empty username", "auth-rejected-name", "aggressive"],
  ["Invalid base64 data in initial response", "auth-invalid-input", "aggressive"],
  ["invalid input", "auth-invalid-input", "aggressive"],
  // oauth2(bob,192.0.2.55,<ZrmCsAVgAcDAAAI3>): oauth2 failed: Introspection failed: Provided token is not valid
  ["oauth2 failed: ", "auth-token-refused", "failure"],
  // Error: passwd-file(bob,192.0.2.55,<ZrmCsAVgAcDAAAI3>): user not found from userdb
  ["user not found from ", "auth-no-userdb", "other"],
  ["Authentication failure due to policy server refusal", "auth-policy-refused", "aggressive"],
];

/** PAM's words for "cannot tell now", Linux-PAM libpam/pam_strerror.c: not the client's fault. */
const PAM_TEMPORARY =
  /^pam_authenticate\(\) failed: (?:Authentication service cannot retrieve|System error|Error in service module|Module is unknown|Critical error|Memory buffer error|Conversation error|Symbol not found)/;

/** SASL mechanisms speak for themselves, before any passdb. */
const MECHANISMS = new Set(
  "plain login cram-md5 digest-md5 apop ntlm gssapi gss-spnego otp skey rpa anonymous external xoauth2 oauthbearer winbind-ntlm winbind-spnego scram-sha-1 scram-sha-256 scram-sha-1-plus scram-sha-256-plus dovecot-token".split(
    " ",
  ),
);

export function isMechanism(name: string): boolean {
  return MECHANISMS.has(name);
}

/** Before the passdb's name in 2.3, behind the prefix's end in 2.4. */
const IS_ERROR = /: Error: /;

interface Tail {
  user: string;
  address: Address;
  session: string | undefined;
  isMaster: boolean;
}
interface Known {
  form: string;
  verdict: Verdict;
  message: string;
}
interface Candidate extends Tail, Known {
  refusedBy: string;
}

/** Reads a message; undefined when no auth process wrote it. */
export function readAuthLine(text: string): Reading | undefined {
  const is24 = IS_24.test(text.slice(0, 40));
  const candidates = is24 ? candidates24(text) : candidates23(text);
  if (candidates === undefined) return undefined;
  const chosen = choose(candidates, text);
  if (!chosen) return emptyReading("auth-other");
  // Nobody could be asked: the level, which syslog has for errors only, tells.
  if (chosen.form === "auth-token-refused" && IS_ERROR.test(text.slice(0, 300))) {
    return emptyReading("auth-temporary-failure");
  }
  const reading = emptyReading(chosen.form);
  reading.verdict = chosen.verdict;
  reading.address = chosen.address;
  reading.session = chosen.session;
  reading.user = chosen.user === "?" ? undefined : chosen.user;
  reading.refusedBy = chosen.refusedBy;
  reading.isMaster = chosen.isMaster;
  reading.isNamed = is24;
  reading.isUnknownHere = chosen.form === "auth-unknown-user" || chosen.form === "auth-pam-failed";
  if (chosen.form === "auth-no-userdb") {
    reading.stage = "immediate";
    reading.isRight = true;
  } else if (chosen.verdict !== "other") {
    reading.stage = "immediate";
    reading.attempts = 1;
  }
  return reading;
}

/**
 * Which of several candidates Dovecot wrote.
 *
 * A rejected name is echoed at the end (`plain(?,192.0.2.55): Username character
 * disallowed ... (username: X)`), so the first candidate is right. Otherwise the name
 * stands before the address and the message ends the line, so the last one is. Where a
 * logged password ends the line, too, both ends are the client's text: unless the candidates
 * agree on the address, the line is not counted, and the connection's end will tell.
 */
function choose(candidates: readonly Candidate[], text: string): Candidate | undefined {
  const [first] = candidates;
  const last = candidates.at(-1);
  if (!first || !last) return undefined;
  if (first === last) return first;
  const isRejectedName =
    first.user === "?" && first.form === "auth-rejected-name" && text.endsWith(")");
  if (isRejectedName && isMechanism(first.refusedBy)) return first;
  if (first.message.includes("given password: ")) {
    return candidates.every(({ address }) => address === first.address) ? first : undefined;
  }
  return last;
}

/** `auth: `, `auth-worker(304): conn unix:auth-worker (pid=1,uid=97): auth-worker<7>: `, `auth(default): `. */
const HEAD_23 =
  /auth(?:-worker)?(?:\(\d{1,10}\)|\(default\))?: (?:(?:Info|Error): )?(?:conn unix:[\w/.-]{1,100} \([\w=,]{1,60}\): )?(?:auth-worker<\d{1,12}>: )?(?:(?:Info|Error): )?/y;

/** `auth(USER,`, but not `auth(default): ` of 1.x nor `auth-worker(304): ` with a process id. */
const IS_24 = /^auth(?:-worker)?\((?!(?:\d{1,10}|default)\): )/;

/** `passwd-file(USER,IP[,master][,<SESSION>]): MESSAGE`; undefined: not of an auth process. */
function candidates23(text: string): Candidate[] | undefined {
  HEAD_23.lastIndex = 0;
  if (!HEAD_23.test(text)) return undefined;
  const body = text.slice(HEAD_23.lastIndex);
  const open = body.indexOf("(");
  const refusedBy = body.slice(0, open);
  if (open < 1 || open > 64 || !/^[\w.-]+$/.test(refusedBy)) return [];
  const found: Candidate[] = [];
  for (let at = body.indexOf("): ", open); at >= 0; at = body.indexOf("): ", at + 1)) {
    const known = readMessage(body, at + 3);
    if (!known) continue;
    const tail = readTail(body, open + 1, at);
    if (tail) found.push(candidate(tail, known, refusedBy));
  }
  return found;
}

/** By hand: copies of objects would take longer than all the rest. */
function candidate(tail: Tail, known: Known, refusedBy: string): Candidate {
  const { user, address, session, isMaster } = tail;
  const { form, verdict, message } = known;
  return { user, address, session, isMaster, refusedBy, form, verdict, message };
}

/** The end of `USER,IP[,master][,<SESSION>]` before index `end`. */
function readTail(body: string, open: number, end: number) {
  let rest = end;
  let session: string | undefined;
  if (body[rest - 1] === ">") {
    const mark = body.lastIndexOf(",<", rest);
    if (mark < open || rest - mark > 80) return undefined;
    session = body.slice(mark + 2, rest - 1);
    rest = mark;
  }
  const isMaster = body.endsWith(",master", rest) && rest - 7 > open;
  return readUserAndAddress(body, open, isMaster ? rest - 7 : rest, session, isMaster);
}

function readUserAndAddress(
  body: string,
  open: number,
  end: number,
  session: string | undefined,
  isMaster: boolean,
): Tail | undefined {
  const comma = body.lastIndexOf(",", end - 1);
  if (comma < open || end - comma > 50) return undefined;
  const address = parseAddress(body.slice(comma + 1, end));
  if (address === undefined) return undefined;
  return { user: body.slice(open, comma), address, session, isMaster };
}

/**
 * 2.4: `auth(USER,IP,sasl:MECH[,master])<SESSION>: [Info: ][PASSDB: ]MESSAGE`,
 * `auth-worker(USER,IP[,master])<PID><SESSION>: request [7]: [Info: ]PASSDB: MESSAGE`.
 */
function candidates24(text: string): Candidate[] {
  const open = text.indexOf("(") + 1;
  const found: Candidate[] = [];
  for (let at = text.indexOf(")", open); at >= 0; at = text.indexOf(")", at + 1)) {
    const next = text[at + 1];
    if (next !== "<" && next !== ":") continue;
    const after =
      /^\)(?:<(\d{1,10})>)?(?:<([^<>]{1,64})>)?: (?:request \[\d{1,12}\]: )?(?:(?:Info|Error): )?/.exec(
        text.slice(at, at + 160),
      );
    if (!after) continue;
    const body = at + after[0].length;
    const named = readNamedMessage(text, body);
    if (!named) continue;
    let end = at;
    let mechanism = "";
    const isMaster = text.endsWith(",master", end);
    if (isMaster) end -= 7;
    const sasl = text.lastIndexOf(",sasl:", end);
    if (sasl > open && end - sasl < 48 && /^[\w-]+$/.test(text.slice(sasl + 6, end))) {
      mechanism = text.slice(sasl + 6, end);
      end = sasl;
    }
    const session = after[2] ?? undefined;
    const tail = readUserAndAddress(text, open, end, session, isMaster);
    if (tail) found.push(candidate(tail, named, named.refusedBy || mechanism));
  }
  return found;
}

/** `PASSDB: MESSAGE` or `MESSAGE`; a passdb's name is the administrator's. */
function readNamedMessage(text: string, from: number) {
  const direct = readMessage(text, from);
  if (direct) return { ...direct, refusedBy: "" };
  const name = /^([\w.()-]{1,64}): /.exec(text.slice(from, from + 68));
  const known = name && readMessage(text, from + name[0].length);
  return known ? { ...known, refusedBy: name[1] ?? "" } : undefined;
}

/** The known message at this index, or undefined. */
function readMessage(text: string, from: number): Known | undefined {
  const found = MESSAGES.find(([words]) => text.startsWith(words, from));
  if (!found) return undefined;
  const [, form, verdict] = found;
  const message = text.slice(from);
  if (form === "auth-pam-failed" && PAM_TEMPORARY.test(message.slice(0, 120))) {
    return { form: "auth-temporary-failure", verdict: "other", message };
  }
  return { form, verdict, message };
}
