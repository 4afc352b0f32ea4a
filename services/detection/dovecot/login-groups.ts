/**
 * What Dovecot's login processes say of a connection's end, in parentheses.
 *
 *   (auth failed, 2 attempts in 8 secs)                                                2.3
 *   (auth failed, 2 attempts in 8 secs) (auth_failed)                                  2.4
 *   (proxy dest authentication failure, 1 attempts in 2 secs, last failure: REPLY) (proxy_dest_auth_failed)
 */
export interface Group {
  /** Where its space and parenthesis begin. */
  from: number;
  /** Where it may end: at one place, or where it quotes a server's reply, at several. */
  ends: readonly number[];
  isQuoting: boolean;
}

/** How Dovecot begins such a group, src/login-common/client-common.c of 1.1 to 2.4. */
const BEGINNINGS: readonly string[] = [
  // (auth failed, 3 attempts in 18 secs)
  "auth failed",
  "authorization failed",
  // (tried to use disallowed plaintext auth), (tried to use unsupported auth mechanism)
  "tried to use ",
  // (no auth attempts in 0 secs)
  "no auth attempts",
  // (disconnected before auth was ready, waited 0 secs), (disconnected during TLS handshake)
  "disconnected ",
  // (client didn't finish SASL auth, waited 3 secs), (client sent an untrusted cert)
  "client didn't ",
  "client sent ",
  // (cert required, client didn't start TLS)
  "cert required",
  "aborted authentication",
  "auth aborted by client",
  "user disabled",
  "password expired",
  "login disabled",
  // (auth service reported temporary failure), (auth process communication failure)
  "auth service ",
  "auth process ",
  "auth referral",
  // (internal failure, 1/2 successful auths in 3 secs)
  "internal failure",
  "sent invalid base64",
  // (proxy dest auth failed), (proxy dest authentication failure, 3/3 successful auths in 12 secs)
  "proxy dest ",
  "anonymous logins disabled",
  "connection limit reached",
  // (client_limit and process_limit was hit and this login session was killed.)
  "client_limit ",
  "The process is shutting down",
];
/** (2 authentication attempts), (no auth attempts), or a reason that this list does not have. */
const COUNTED = /\d{1,6} authentication attempts\)/y;
const UNKNOWN =
  /[a-z][a-z' -]{2,60}, \d{1,6}(?: attempts|\/\d{1,6} successful auths) in \d{1,6} secs/y;
const EVENT = / \([a-z_]{3,40}\)/y;
const LAST_FAILURE = ", last failure: ";
const MAX_ENDS = 32;

/** The group whose ` (` stands at `from`. */
export function groupAt(text: string, from: number): Group | undefined {
  const start = from + 2;
  const isKnown = BEGINNINGS.some((words) => text.startsWith(words, start));
  if (!isKnown && !matchesAt(COUNTED, text, start) && !matchesAt(UNKNOWN, text, start)) {
    return undefined;
  }
  const close = text.indexOf(")", start);
  if (close < 0) return undefined;
  const quote = text.indexOf(LAST_FAILURE, start);
  // A line that quotes a server has an event's name behind the quotation.
  const isQuoting = quote > 0 && quote < close;
  if (!isQuoting) return { from, ends: [endOf(text, close)], isQuoting };
  const ends: number[] = [];
  for (let at = close; at >= 0 && ends.length < MAX_ENDS; at = text.indexOf(")", at + 1)) {
    const end = endOf(text, at);
    if (end > at + 1) ends.push(end);
  }
  return { from, ends, isQuoting };
}

/** Behind the parenthesis at `close`, and behind the event's name that may follow. */
function endOf(text: string, close: number): number {
  return matchesAt(EVENT, text, close + 1) ? EVENT.lastIndex : close + 1;
}

function matchesAt(pattern: RegExp, text: string, at: number): boolean {
  pattern.lastIndex = at;
  return pattern.test(text);
}
