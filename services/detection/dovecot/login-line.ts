/**
 * Lines of Dovecot's login processes: one per connection, written when it ends or
 * when somebody has logged in.
 *
 *   imap-login: Disconnected: Connection closed (auth failed, 2 attempts in 8 secs): user=<bob>,
 *     method=PLAIN, rip=192.0.2.55, lip=203.0.113.25, TLS, session=<ZrmCsAVgAcDAAAI3>
 *
 * What the reason says counts; the elements say who it is about.
 */
import { readElements, type Elements } from "./login-elements.ts";
import { mayBeCut, mayBeCutByBusybox, type Writer } from "./cut-line.ts";
import {
  isInDoubtWhenCut,
  isOnlyAddress,
  isWholeWhenShort,
  quotesSomebody,
} from "./login-doubt.ts";
import { findLayouts, type Layout } from "./login-layout.ts";
import { isRefusal, lastReplyOf, readProxy } from "./proxy-reply.ts";
import { emptyReading, unrecognizedReading, type Reading, type Verdict } from "./reading.ts";
import { readUsualLoginLine } from "./usual-login-line.ts";

/** `imap-login: `, `pop3-login: Info: `. Sticky patterns say where a match ends, and make no array of it. */
const HEAD = /[a-z0-9]{1,16}-login: (?:Info: )?/y;
/** `Debug: `, `Warning: `, `Error: `, `Fatal: `, `Panic: `: the level stands before all client text. */
const LEVEL = /[DWEFP][a-z]{3,6}: /y;
/** Somebody was refused. */
const REFUSAL =
  /auth failed|authentication (?:attempts|failure)|Login failed|\d attempts|unsupported auth mechanism/;

/** Reads a message; undefined when no login process wrote it. */
export function readLoginLine(text: string, writer: Writer): Reading | undefined {
  return readUsualLoginLine(text) ?? readAnyLoginLine(text, writer);
}

/** Reads a message of any shape; undefined when no login process wrote it. */
export function readAnyLoginLine(text: string, writer: Writer): Reading | undefined {
  HEAD.lastIndex = 0;
  if (!HEAD.test(text)) return undefined;
  LEVEL.lastIndex = HEAD.lastIndex;
  if (LEVEL.test(text)) return emptyReading("login-other");
  const body = text.slice(HEAD.lastIndex);
  const said = readLayouts(findLayouts(body));
  const isFalse = said !== undefined && isInDoubt(body, said, text, writer);
  const reading = isFalse ? unrecognized() : (said ?? readUnknown(body));
  reading.service = text.slice(0, text.indexOf("-"));
  return reading;
}

const unrecognized = (): Reading => unrecognizedReading("login-unrecognized");

/** A message of no layout that is known. `ID sent: ` is a client's text, and no attempt. */
function readUnknown(body: string): Reading {
  const isSuspect = REFUSAL.test(body) && !body.startsWith("ID sent: ");
  return isSuspect ? unrecognized() : emptyReading("login-other");
}

/** May what the reading says be the client's own text? */
function isInDoubt(body: string, reading: Reading, text: string, writer: Writer): boolean {
  if (reading.isUnrecognized) return false;
  if (mayBeCutByBusybox(text, writer)) {
    if (mechanismOf(body) === "client" || !isWholeWhenShort(body)) return true;
  } else if (mayBeCut(text, writer)) {
    // A name in the head of a proxy's line, and what the server behind says, may be of any length.
    if (reading.refusedBy === "proxy" || isInDoubtWhenCut(body, reading.address)) return true;
  }
  const { address, verdict } = reading;
  // A reason that quotes somebody may hold another address.
  return (
    verdict !== "success" &&
    address !== undefined &&
    quotesSomebody(body) &&
    !isOnlyAddress(body, address)
  );
}

/** What all layouts that can be read agree on; undefined: there is none. */
function readLayouts(layouts: readonly Layout[]): Reading | undefined {
  let found: Reading | undefined;
  for (const layout of layouts) {
    const elements = readElements(layout.elements, mechanismOf(layout.reason));
    if (elements === "ambiguous") return unrecognized();
    if (elements === undefined) continue;
    const reading = readLayout(layout.reason, elements);
    if (reading.isUnrecognized || (found && !isSameOutcome(found, reading))) return unrecognized();
    if (found && found.session !== reading.session) reading.session = undefined;
    found = reading;
  }
  return found;
}

/**
 * (tried to use unsupported auth mechanism, 4 attempts in 18 secs) (invalid_mech)
 * Authenticate FOO failed: Unsupported authentication mechanism.
 */
function mechanismOf(reason: string): "client" | undefined {
  const isUnknown = reason.includes("unsupported auth mech") || reason.startsWith("Authenticate ");
  return isUnknown ? "client" : undefined;
}

function isSameOutcome(a: Reading, b: Reading): boolean {
  return (
    a.address === b.address &&
    a.form === b.form &&
    a.verdict === b.verdict &&
    a.stage === b.stage &&
    a.attempts === b.attempts &&
    a.hidden === b.hidden &&
    a.begun === b.begun &&
    a.seconds === b.seconds
  );
}

function readLayout(reason: string, elements: Elements): Reading {
  const reading = emptyReading("login-other");
  reading.address = elements.address;
  reading.user = elements.user;
  reading.session = elements.session;
  judge(reading, reason, elements);
  return reading;
}

/** Notes in `reading` what the reason says. */
function judge(reading: Reading, reason: string, elements: Elements): void {
  // Without TLS and a mechanism LOGIN or USER was refused, and nothing was checked.
  const isChecked = elements.method !== undefined || elements.isSecured;
  // imap-login: Login: user=<..>        imap-login: Logged in: user=<..>
  if (reason === "Login") judgeSuccess(reading, "login-2.3-success");
  else if (reason === "Logged in") judgeSuccess(reading, "login-2.4-success");
  // imap-login: proxy(bob@example.com,192.0.2.9:143): Login failed: [AUTHENTICATIONFAILED] ..: user=<..>
  else if (reason.startsWith("proxy(")) judgeProxy(reading, reason);
  else if (isGivenUp(reason)) judgeGivenUp(reading);
  else if (!judgeByEvent(reading, reason, isChecked)) judgeByWords(reading, reason, isChecked);
  reading.hasMethod = elements.method !== undefined;
  if (reading.stage === "final" && reading.user === "") spareTheNameless(reading);
}

/** Lines while the connection goes on, with auth_verbose: no password was looked at. */
function isGivenUp(reason: string): boolean {
  // imap-login: Authenticate PLAIN failed: Aborted by client: user=<..>
  // imap-login: Login failed: Plaintext authentication disabled: user=<..>
  return /^(?:Authenticate .{0,70}|Login|APOP) ?failed: /.test(reason);
}

function judgeGivenUp(reading: Reading): void {
  reading.form = "login-given-up";
  reading.verdict = "spared";
  reading.stage = "immediate";
}

/**
 * Dovecot shows the last name that the connection gave. Without one, exchanges were broken off: 2.4
 * says so, and 2.3 says `auth failed, 3 attempts in 0 secs`. A refusal takes longer, because Dovecot
 * waits for auth_failure_delay (2 s).
 */
function spareTheNameless(reading: Reading): void {
  reading.hidden = 0;
  const isBrokenOff = reading.attempts > 1 && reading.seconds === 0;
  if (!reading.form?.startsWith("login-2.3-auth-failed") || !isBrokenOff) return;
  reading.form = "login-2.3-broken-off";
  reading.verdict = "aggressive";
}

function judgeSuccess(reading: Reading, form: string): void {
  reading.form = form;
  reading.verdict = "success";
  reading.stage = "final";
}

function judgeProxy(reading: Reading, reason: string): void {
  reading.form = "login-proxy";
  const said = readProxy(reason);
  reading.isProxied = true;
  reading.isUnrecognized = said === "unclear";
  if (said === "other" || said === "unclear") return;
  reading.stage = "immediate";
  reading.refusedBy = "proxy";
  if (said === "refused") {
    reading.form = "login-proxy-refused";
    reading.verdict = "failure";
    reading.attempts = 1;
  } else {
    reading.form = "login-proxy-unavailable";
    reading.verdict = "spared";
  }
}

/** Dovecot 2.4 names the reason: `... (auth failed, 2 attempts in 8 secs) (auth_failed)`. */
const KINDS: Readonly<Record<string, Verdict | "hides" | "proxy">> = {
  auth_failed: "failure",
  authorization_failed: "aggressive",
  cleartext_auth_disabled: "aggressive",
  proxy_dest_auth_failed: "proxy",
  // The last attempt was no guess; those before it were, as far as one can tell.
  invalid_mech: "hides",
  invalid_base64: "hides",
  auth_aborted_by_client: "hides",
  auth_waiting_client: "hides",
  anonymous_auth_disabled: "hides",
  no_auth_attempts: "scan",
  auth_process_not_ready: "scan",
  tls_handshake_not_finished: "scan",
  client_ssl_not_started: "scan",
  client_ssl_cert_missing: "scan",
  client_ssl_cert_untrusted: "scan",
};
const formOf = (event: string) => `login-2.4-${event.replaceAll("_", "-")}`;
const EVENTS = new Map(
  Object.entries(KINDS).map(([event, kind]) => [event, { kind, form: formOf(event) }]),
);

function judgeByEvent(reading: Reading, reason: string, isChecked: boolean): boolean {
  const name = /\) \(([a-z_]{3,40})\)$/.exec(reason)?.[1];
  if (name === undefined) return false;
  const { attempts, accepted, begun, seconds } = readCount(reason);
  reading.begun = begun;
  reading.accepted = accepted;
  const { kind, form } = EVENTS.get(name) ?? { kind: "other", form: formOf(name) };
  reading.form = form;
  reading.stage = "final";
  reading.seconds = seconds;
  if (kind === "proxy") {
    // The proxy's own passdbs have accepted what the server behind has then refused.
    reading.isProxied = true;
    if (isRefusal(lastReplyOf(reason))) {
      reading.verdict = "failure";
      reading.attempts = Math.max(attempts, 1);
    } else reading.hidden = Math.max(attempts - 1, 0);
  } else if (kind === "hides") {
    reading.isBrokenOff = true;
    reading.hidden = Math.max(attempts - accepted - 1, 0);
  } else if (accepted > 0) {
    // The last attempt was right, whatever became of it; those before it were not.
    reading.isRight = true;
    reading.hidden = Math.max(attempts - accepted, 0);
  } else if (kind === "failure" && !isChecked) {
    reading.form += "-cleartext";
    reading.verdict = "aggressive";
    reading.attempts = attempts;
  } else {
    reading.verdict = kind;
    if (kind === "failure" || kind === "aggressive") reading.attempts = attempts;
  }
  return true;
}

/** Words of Dovecot 1.1 to 2.3, in the order in which they are looked for. */
const WORDS: readonly (readonly [words: string, form: string, verdict: Verdict])[] = [
  // Aborted login (auth failed, 3 attempts in 18 secs)
  ["(auth failed, ", "login-2.3-auth-failed", "failure"],
  // Aborted login (2 authentication attempts)
  [" authentication attempts)", "login-1.1-attempts", "failure"],
  // Disconnected (proxy dest auth failed)
  ["(proxy dest auth failed)", "login-2.3-proxy-refused", "failure"],
  // Disconnected (authorization failed, 2 attempts in 4 secs)
  ["(authorization failed, ", "login-2.3-authorization-failed", "aggressive"],
  // Aborted login (tried to use disallowed plaintext auth)
  ["(tried to use disabled plaintext auth", "login-2.3-cleartext-refused", "aggressive"],
  ["(tried to use disallowed plaintext auth", "login-2.3-cleartext-refused", "aggressive"],
  // Disconnected (no auth attempts in 0 secs)
  ["(no auth attempts", "login-2.3-no-auth-attempts", "scan"],
  ["(disconnected before auth was ready", "login-2.3-not-ready", "scan"],
  ["(disconnected before greeting", "login-2.3-not-ready", "scan"],
  ["(disconnected during TLS handshake", "login-2.3-tls-handshake", "scan"],
  ["(client didn't send a cert", "login-2.3-no-certificate", "scan"],
  ["(client sent an invalid cert", "login-2.3-bad-certificate", "scan"],
  ["(cert required", "login-2.3-no-certificate", "scan"],
  // Disconnected (tried to use unsupported auth mechanism): hides what was tried before
  ["(tried to use unsupported auth mechanism", "login-2.3-unsupported-mechanism", "other"],
  ["(client didn't finish SASL auth", "login-2.3-unfinished", "other"],
  ["(disconnected while authenticating", "login-2.3-unfinished", "other"],
  ["(disconnected while finishing login", "login-2.3-unfinished", "other"],
  ["(aborted authentication", "login-2.3-unfinished", "other"],
  ["(user disabled", "login-2.3-user-disabled", "other"],
  ["(password expired", "login-2.3-password-expired", "other"],
  ["(login disabled", "login-2.3-login-disabled", "other"],
  ["(auth service reported temporary failure", "login-2.3-temporary-failure", "other"],
  ["(auth process communication failure", "login-2.3-temporary-failure", "other"],
  // Aborted login (internal failure, 1 successful auths)
  ["(internal failure", "login-2.3-internal-failure", "other"],
  ["(sent invalid base64", "login-2.3-invalid-base64", "other"],
];

function judgeByWords(reading: Reading, reason: string, isChecked: boolean): void {
  // Too many connections of a user: `Disconnected: Maximum number of connections ... (..=10)`.
  const found = WORDS.find(([words]) => reason.includes(words));
  if (!found) {
    if (isEnd(reason)) reading.stage = "final";
    return;
  }
  const { attempts, accepted, begun, seconds } = readCount(reason);
  reading.begun = begun;
  reading.accepted = accepted;
  reading.form = found[1];
  reading.isRight = reading.form === "login-2.3-internal-failure";
  reading.isProxied = reading.form === "login-2.3-proxy-refused";
  reading.verdict = found[2];
  reading.stage = "final";
  reading.seconds = seconds;
  const isRefused = reading.verdict === "failure" || reading.verdict === "aggressive";
  if (isRefused) reading.attempts = Math.max(attempts, 1);
  // Without `in S secs` it is Dovecot 1.1 to 2.0, which always had checked the password.
  if (reading.form === "login-2.3-auth-failed" && !isChecked && seconds !== undefined) {
    reading.form = "login-2.3-auth-failed-cleartext";
    reading.verdict = "aggressive";
  }
}

const ENDS: readonly string[] = [
  "Disconnected",
  "Aborted login",
  "Login aborted",
  "Remote closed",
  "Client has quit",
];

/** Verbose lines while the connection goes on say `Authenticate FOO failed` or `Login failed`. */
function isEnd(reason: string): boolean {
  return ENDS.some((words) => reason.startsWith(words));
}

/**
 * `, 2 attempts in 8 secs`, `, 1/1 successful auths in 2 secs`, `(2 authentication attempts)`,
 * `, 1 successful auths)`.
 */
function readCount(reason: string) {
  const match =
    /[,(] ?(?:(\d{1,6})(?: authentication attempts| attempts)|(?:(\d{1,6})\/)?(\d{1,6}) success?ful auths)(?: in (\d{1,6}) secs)?/.exec(
      reason,
    );
  const [, attempts, accepted, all, seconds] = match ?? [];
  const hasBoth = accepted !== undefined;
  const begun = attempts ?? (hasBoth ? all : undefined);
  return {
    attempts: Math.min(Number(begun ?? 0), 1000),
    begun: begun === undefined ? undefined : Number(begun),
    accepted: Number((hasBoth ? accepted : all) ?? 0),
    seconds: seconds === undefined ? undefined : Number(seconds),
  };
}
