/**
 * Pieces of fail2ban's own filters that look ahead, said so that a linear-time engine can do
 * it. Where the text in between is the attacker's, the last address that fits is the real one.
 */

interface Piece {
  from: string;
  to: string;
  /** Lines that the piece passed over. */
  ignoreregex?: string;
}

const PIECES: readonly Piece[] = [
  // sshd: Failed password for invalid user x from 192.0.2.1 port 50273 ssh2
  {
    from: String.raw`(?:<F-NOFAIL>publickey</F-NOFAIL>|\S+) for (?P<cond_inv>invalid user )?<F-USER>(?P<cond_user>\S+)|(?(cond_inv)(?:(?! from ).)*?|[^:]+)</F-USER> from <HOST>(?: (?:port \d+|on \S+)){0,2}(?: ssh\d*)?(?(cond_user): |(?:(?:(?! from ).)*)$)`,
    to: String.raw`(?:password|none|keyboard-interactive\S*|gssapi\S*) for (?:invalid user )?<F-USER>.*</F-USER> from <HOST>(?: (?:port \d+|on \S+)){0,2}(?: ssh\d*)?(?: \[preauth\])?\s*$`,
  },
  // postfix: warning: x[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6
  {
    from: "authentication failed:(?! Connection lost to authentication server| Invalid authentication mechanism)",
    to: "authentication failed:",
    ignoreregex: String.raw`^[^[]*\[<HOST>\](?::\d+)?: SASL \S+ authentication failed: (?:Connection lost to authentication server|Invalid authentication mechanism)`,
  },
  // courier-auth: LOGIN FAILED, user=x, ip=[192.0.2.1]
  {
    from: String.raw`(?:(?!ip=)(?:user=<F-USER>[^,]*</F-USER>|\w+=[^,]*), )*ip=`,
    to: String.raw`(?:(?:user=<F-USER>[^,]*</F-USER>|\w+=[^,]*), )*ip=`,
  },
  // exim: SMTP protocol error in "AUTH LOGIN" H=(x) [192.0.2.1] AUTH command used when not advertised
  { from: String.raw`(?:"+[^"]*(?="))*?"`, to: String.raw`(?:"+[^"]*)*?"` },
  // asterisk: SecurityEvent="InvalidPassword",...,RemoteAddress="IPV4/UDP/192.0.2.1/5084",...
  {
    from: String.raw`(?:(?:,(?!RemoteAddress=)\w+="[^"]*")*|.*?),RemoteAddress=`,
    to: ".*,RemoteAddress=",
  },
  { from: String.raw`(?:,(?!RemoteAddress=)\w+="[^"]*")*$`, to: String.raw`(?:,\w+="[^"]*")*$` },
];

/** The expression without what looks ahead, and what must be ignored beside it. */
export function rewriteRegex(source: string): { regex: string; ignoreregex: string[] } {
  let regex = source;
  const ignoreregex: string[] = [];
  for (const piece of PIECES) {
    if (!regex.includes(piece.from)) continue;
    regex = regex.replace(piece.from, () => piece.to);
    if (piece.ignoreregex !== undefined) ignoreregex.push(piece.ignoreregex);
  }
  return { regex, ignoreregex };
}
