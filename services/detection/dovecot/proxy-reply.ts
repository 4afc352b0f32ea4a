/**
 * What a Dovecot proxy writes about the server behind it.
 *
 *   imap-login: proxy(bob,192.0.2.9:143): Login failed: [AUTHENTICATIONFAILED] Authentication
 *     failed.: user=<bob>, method=PLAIN, rip=192.0.2.55, ...
 *
 * The reply's code tells a guess from everything else. Only SMTP servers give no code in brackets.
 */

/** The codes of a refused password: RFC 5530 for IMAP, RFC 3206 for POP3. */
const REFUSED = /^\[(?:AUTHENTICATIONFAILED|AUTH)\]/i;
/** `454 4.7.0 Temporary authentication failure`, with or without its codes; a disabled account. */
const NO_REFUSAL =
  /^(?:4\d\d[ -]|(?:\d{3}[ -])?4\.\d{1,3}\.\d{1,3} |(?:5\d\d[ -])?(?:5\.7\.13 )?Login disabled|Temporar|Account is temporarily|Internal error)/i;

/** Is this reply of the server behind about a password that it refused? 2.4.1 does not name it. */
export function isRefusal(reply = ""): boolean {
  return REFUSED.test(reply) || (!reply.startsWith("[") && !NO_REFUSAL.test(reply));
}

/** unclear: the user name, or what the server says, can be read in several ways that do not agree. */
export type ProxyLine = "refused" | "unavailable" | "other" | "unclear";

/** What a proxy says besides `Login failed`. */
const OTHER =
  /^(?:Started proxying|Disconnected|disconnecting|Aborting|Connect|connect\(|Redirect)/;
/** A reply that begins with its code. */
const CODED = /^(?:\[|\d{3}[ -]|[245]\.\d{1,3}\.\d{1,3} )/;
const MAX_PLACES = 64;

/**
 * `proxy(USER,192.0.2.9:143): Login failed: REPLY`. The name is as the client gave it, and the
 * reply may repeat it, so every `): ` may end the head.
 */
export function readProxy(reason: string): ProxyLine {
  const found = new Set<ProxyLine>();
  let places = 0;
  for (let at = reason.indexOf("): "); at >= 0; at = reason.indexOf("): ", at + 1)) {
    places += 1;
    if (places > MAX_PLACES) return "unclear";
    const said = reason.slice(at + 3);
    if (said.startsWith("Login failed")) found.add(readFailed(said.slice(12)));
    else if (OTHER.test(said)) found.add("other");
  }
  const [only = "other"] = found;
  return found.size > 1 ? "unclear" : only;
}

/** `: REPLY`, ` as user x (master y): REPLY`, 2.2: ` to 192.0.2.9:143/x: REPLY`. */
function readFailed(text: string): ProxyLine {
  if (text.startsWith(": ")) return outcomeOf(text.slice(2));
  const found = new Set<ProxyLine>();
  let first: string | undefined;
  let places = 0;
  for (let at = text.indexOf(": "); at >= 0; at = text.indexOf(": ", at + 1)) {
    places += 1;
    if (places > MAX_PLACES) return "unclear";
    const reply = text.slice(at + 2);
    first ??= reply;
    if (CODED.test(reply)) found.add(outcomeOf(reply));
  }
  if (first === undefined) return "unclear";
  const [only = outcomeOf(first)] = found;
  return found.size > 1 ? "unclear" : only;
}

function outcomeOf(reply: string): ProxyLine {
  return isRefusal(reply) ? "refused" : "unavailable";
}

/**
 * The reply in `(proxy dest authentication failure to 192.0.2.9:143, 2/2 successful auths in 4
 * secs, last failure: [AUTH] Authentication failed.) (proxy_dest_auth_failed)`.
 */
export function lastReplyOf(reason: string): string | undefined {
  return /, last failure: (.{0,200}?)\) \([a-z_]{3,40}\)$/.exec(reason.slice(-400))?.[1];
}
