/**
 * What Dovecot's auth processes say of one attempt, behind the head that names the user and the
 * address. The texts are those of Dovecot 1.0 to 2.4.
 */
import type { Verdict } from "./reading.ts";

export interface AuthMessage {
  /** `auth-unrecognized`: the text looks like a refusal, but no form knows it. */
  form: string;
  /** "failure" and "aggressive" are attempts, "other" and "spared" are none. */
  verdict: Verdict;
  /** The password was right, but no userdb knows the user. */
  isRight: boolean;
}

const message = (form: string, verdict: Verdict): AuthMessage => ({
  form,
  verdict,
  isRight: form === "auth-no-userdb",
});
const MISMATCH = message("auth-password-mismatch", "failure");
const UNKNOWN_USER = message("auth-unknown-user", "failure");
const MASTER = message("auth-master-refused", "failure");
const REJECTED_NAME = message("auth-rejected-name", "failure");
const INVALID_INPUT = message("auth-invalid-input", "aggressive");
const NO_PASSWORD = message("auth-no-password", "failure");
const SCHEME = message("auth-scheme-missing", "aggressive");
const TEMPORARY = message("auth-temporary-failure", "spared");
const PAM_MISSING = message("auth-pam-missing", "spared");
const NO_USERDB = message("auth-no-userdb", "other");
const OTHER = message("auth-other", "other");
const HARMLESS = message("auth-other", "other");
const UNRECOGNIZED = message("auth-unrecognized", "other");
const ILLEGAL_PASSWORD = message("auth-illegal-password", "failure");

/** What the processes say at level Info, and how it counts. */
const MESSAGES: readonly (readonly [text: string, message: AuthMessage])[] = [
  // passwd-file(bob,192.0.2.55): Password mismatch
  ["Password mismatch", MISMATCH],
  // cram-md5(bob,192.0.2.55): password mismatch (CRAM-MD5, DIGEST-MD5 and SCRAM up to 2.2)
  ["password mismatch", MISMATCH],
  // passwd-file(bob,192.0.2.55): unknown user
  ["unknown user", UNKNOWN_USER],
  // checkpassword(bob,192.0.2.55): User unknown
  ["User unknown", UNKNOWN_USER],
  // ldap(bob,192.0.2.55): invalid credentials
  ["invalid credentials", MISMATCH],
  // ldap(bob,192.0.2.55): Login attempt with empty password
  ["Login attempt with empty password", message("auth-empty-password", "failure")],
  // auth(bob,192.0.2.55,sasl:plain): Attempted login with password having illegal chars
  ["Attempted login with password having illegal chars", ILLEGAL_PASSWORD],
  // pam(bob,192.0.2.55): pam_authenticate() failed: Authentication failure (Password mismatch?)
  ["pam_authenticate() failed: ", message("auth-pam-failed", "failure")],
  // plain(bob,192.0.2.55): login user: Master user login attempted without master passdbs
  ["login user: Master user login attempted", MASTER],
  ["Master user login attempted", MASTER],
  // plain(bob,192.0.2.55,master): Attempted master login with no master passdbs
  ["Attempted master login with no master passdbs", MASTER],
  // passwd-file(bob,192.0.2.55): allow_nets check failed: IP 192.0.2.55 not in allowed networks
  ["allow_nets check failed", message("auth-allow-nets", "failure")],
  ["allow_real_nets check failed", message("auth-allow-nets", "failure")],
  // sql(bob,192.0.2.55): No password returned (and no nopassword)
  ["No password returned", NO_PASSWORD],
  ["Empty password returned without nopassword", NO_PASSWORD],
  // checkpassword(bob,192.0.2.55,<ZrmCsAVgAcDAAAI3>): Login failed (status=1)
  ["Login failed (status=", message("auth-checkpassword-failed", "failure")],
  // ntlm(?,192.0.2.55): user not authenticated: NT_STATUS_WRONG_PASSWORD
  ["user not authenticated: ", message("auth-not-authenticated", "failure")],
  // oauth2(bob,192.0.2.55,<ZrmCsAVgAcDAAAI3>): oauth2 failed: Introspection failed: Provided token is not valid
  ["oauth2 failed: ", message("auth-token-refused", "failure")],
  // imap(bob,192.0.2.55): [AUTHENTICATIONFAILED] Authentication failed.
  ["[AUTHENTICATIONFAILED]", message("auth-imap-refused", "failure")],
  ["[AUTHORIZATIONFAILED]", message("auth-imap-refused", "aggressive")],
  // gssapi(bob@REALM,192.0.2.55): User not authorized to log in as alice@REALM
  ["User not authorized to log in as ", message("auth-not-authorized", "failure")],
  ["Username character disallowed by auth_username_chars", REJECTED_NAME],
  ["Username contains disallowed character", REJECTED_NAME],
  ["login user: Username character disallowed", REJECTED_NAME],
  ["login user: Username contains disallowed", REJECTED_NAME],
  ["login user: Empty username", REJECTED_NAME],
  ["Empty username", REJECTED_NAME],
  ["Invalid username", REJECTED_NAME],
  ["Username not known", REJECTED_NAME],
  ["username not known", REJECTED_NAME],
  ["Username+password combination too long", REJECTED_NAME],
  ["Invalid base64 data in ", INVALID_INPUT],
  ["invalid input", INVALID_INPUT],
  // cram-md5(bob,192.0.2.55): Requested CRAM-MD5 scheme, but we have only SHA512-CRYPT
  ["Requested ", SCHEME],
  // policy(bob,192.0.2.55): Authentication failure due to policy server refusal
  [
    "Authentication failure due to policy server refusal",
    message("auth-policy-refused", "aggressive"),
  ],
];

/** What mechanisms say of malformed input, which holds no guess: DIGEST-MD5, SCRAM, APOP, RPA, GSSAPI, OAuth2. */
const MALFORMED =
  /^(?:Invalid |invalid |Missing |missing |malformed |no (?:initial|authz)|NULs |Wrong nonce|Nonallowed |Unknown QoP|Only utf-8|Client (?:sent no|requested) |Channel binding |Mandatory ext|Response payload|GSSAPI |OID |krb5_parse_name|Cross-realm|While |authn_name|authz_name|authzid |Username escaping|Username or token|username must|empty (?:username|authzid)|cnonce |nonce-count |maxbuf |re-auth |authentication failed)/;

/** Messages about anything else: Dovecot refused nobody. */
const NO_REFUSAL =
  /^(?:Invalid network|Master user logging in|Policy check action|Falling back to expired|Cached NULL|User found from deny|Request timed out|anonymous login|login$|ntlm_auth reports broken|nopassword given|missing passwd file|Failed to |db-lua: |Authentication cache|pw_dir |returned |vget_assign|parse_email)/;

/** Error: sql(bob,192.0.2.55): Password query failed: no such table: users */
const OUTAGE =
  /\b(?:failed|timed out|timeout|unavailable|unreachable|refused|missing|lost|aborted|internal|can't|cannot)\b/i;

/** PAM's words for "cannot tell now", Linux-PAM libpam/pam_strerror.c: not the client's fault. */
const PAM_TEMPORARY =
  /^pam_authenticate\(\) failed: (?:Authentication service cannot retrieve|System error|Error in service module|Module is unknown|Critical error|Memory buffer error|Conversation error|Symbol not found)/;

/** What a line that no form knows says where somebody was refused. */
const REFUSAL =
  /\b(?:fail(?:ed|ure|s)?|mismatch|denied|refused|rejected|incorrect|wrong|invalid|illegal|disallowed|unknown|not (?:authenticated|authorized|allowed|valid|known|found)|locked|expired|disabled)\b/i;

/** A passdb's name, which is the administrator's, or `sasl(plain)`. */
const NAME = /([\w.()+-]{1,64}): /y;

/** What a message says, and who says it: the passdb or the mechanism. */
export interface SaidBy {
  said: AuthMessage;
  name: string;
}

/** What lines of other levels say: Debug lines are never attempts. */
export const silent = (name: string): SaidBy => ({ said: HARMLESS, name });

/** Does a form know the message? */
export const isKnown = ({ said }: SaidBy): boolean => said !== OTHER && said !== UNRECOGNIZED;

/** Reads `[NAME: ]MESSAGE`, which begins at `from`; `driver` says it where no name stands there. */
export function readAuthMessage(
  text: string,
  from: number,
  driver: string,
  level: "Info" | "Error",
): SaidBy {
  const direct = findMessage(text, from);
  if (direct && isLookup(driver, direct)) return silent(driver);
  if (direct) return { said: leveled(direct, text, from, level), name: driver };
  NAME.lastIndex = from;
  const name = NAME.exec(text)?.[1];
  if (name === undefined) return { said: guess(text, from, driver, level), name: driver };
  const behind = NAME.lastIndex;
  const said = findMessage(text, behind);
  const by = name.startsWith("sasl(") ? name.slice(5, -1) : name;
  if (name === "db-lua" || (said && isLookup(by, said))) return silent(by);
  if (said) return { said: leveled(said, text, behind, level), name: by };
  return { said: guess(text, behind, by, level), name: by };
}

/** `userdb: Empty username`: another process, such as lmtp, has looked a user up. */
function isLookup(name: string, said: AuthMessage): boolean {
  return said === REJECTED_NAME && (name === "userdb" || name === "passdb");
}

/** The messages by their first character, which rules out nearly all of them at once. */
const BY_FIRST = new Map<number, (typeof MESSAGES)[number][]>();
for (const entry of MESSAGES) {
  const first = entry[0].charCodeAt(0);
  BY_FIRST.set(first, [...(BY_FIRST.get(first) ?? []), entry]);
}

/** The known message at this index. Its words end there, or are followed by a space or colon. */
function findMessage(text: string, from: number): AuthMessage | undefined {
  for (const [words, said] of BY_FIRST.get(text.charCodeAt(from)) ?? []) {
    if (!text.startsWith(words, from)) continue;
    const next = text[from + words.length];
    const isWhole = next === undefined || next === " " || next === ":" || /\W$/.test(words);
    if (isWhole) return said;
  }
  // Error: passwd-file(bob,192.0.2.55,<ZrmCsAVgAcDAAAI3>): user not found from userdb
  return text.startsWith("user not found from ", from) ? NO_USERDB : undefined;
}

/** An error says that nobody could be asked, or that the userdb has lost a user. */
function leveled(
  said: AuthMessage,
  text: string,
  from: number,
  level: "Info" | "Error",
): AuthMessage {
  if (level === "Error") return said === NO_USERDB ? said : outage(text, from);
  if (said.form === "auth-pam-failed" && PAM_TEMPORARY.test(text.slice(from, from + 120))) {
    return TEMPORARY;
  }
  return said;
}

/** Error: pam(bob,192.0.2.55): unknown user (/etc/pam.d/dovecot missing?) */
function outage(text: string, from: number): AuthMessage {
  return text.slice(from).endsWith(" missing?)") ? PAM_MISSING : TEMPORARY;
}

/** What a message says that is not in the table. */
function guess(text: string, from: number, name: string, level: "Info" | "Error"): AuthMessage {
  const message = text.slice(from, from + 300);
  // A policy server that cannot be reached keeps no passdb from refusing.
  if (level === "Error") return name !== "policy" && OUTAGE.test(message) ? TEMPORARY : OTHER;
  if (NO_REFUSAL.test(message) || name === "db-lua") return HARMLESS;
  if (MALFORMED.test(message)) return INVALID_INPUT;
  // imap(bob,192.0.2.55): [UNAVAILABLE] Internal error: the words of the server behind.
  if (name === "imap") return message.startsWith("[") ? TEMPORARY : MISMATCH;
  return REFUSAL.test(message) ? UNRECOGNIZED : OTHER;
}
