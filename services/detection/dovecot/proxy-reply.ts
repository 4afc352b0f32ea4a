/**
 * What a Dovecot proxy writes about the server behind it.
 *
 *   imap-login: proxy(bob,192.0.2.9:143): Login failed: [AUTHENTICATIONFAILED] Authentication
 *     failed.: user=<bob>, method=PLAIN, rip=192.0.2.55, ...
 *
 * The reply's code tells a guess from everything else. Only SMTP servers give no code in brackets.
 */

/** `Login failed: `, `Login failed as user x (master y): `, 2.2: `Login failed to h:143/x: `. */
const FAILED = /: Login failed(?: (?:to|from|as user) [^\s,]{1,300}| \(master [^)]{0,80}\)){0,4}: /;
/** The codes of a refused password: RFC 5530 for IMAP, RFC 3206 for POP3. */
const REFUSED = /^\[(?:AUTHENTICATIONFAILED|AUTH)\]/i;
/** `454 4.7.0 Temporary authentication failure`, with or without its codes; a disabled account. */
const NO_REFUSAL =
  /^(?:4\d\d[ -]|(?:\d{3}[ -])?4\.\d{1,3}\.\d{1,3} |(?:5\d\d[ -])?(?:5\.7\.13 )?Login disabled|Temporar|Account is temporarily|Internal error)/i;

/** Is this reply of the server behind about a password that it refused? */
export function isRefusal(reply: string): boolean {
  return REFUSED.test(reply) || (!reply.startsWith("[") && !NO_REFUSAL.test(reply));
}

/** The server's reply in `proxy(..): Login failed: REPLY`; undefined: this is another line. */
export function replyOf(reason: string): string | undefined {
  const found = FAILED.exec(reason.slice(0, 1_000));
  return found ? reason.slice(found.index + found[0].length) : undefined;
}

/**
 * The reply in `(proxy dest authentication failure to 192.0.2.9:143, 2/2 successful auths in 4
 * secs, last failure: [AUTH] Authentication failed.) (proxy_dest_auth_failed)`.
 */
export function lastReplyOf(reason: string): string | undefined {
  return /, last failure: (.{0,200}?)\) \([a-z_]{3,40}\)$/.exec(reason.slice(-400))?.[1];
}
