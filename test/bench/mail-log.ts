/** A mixed log of a mail host: the same for the same seed. */
import { failedLogin } from "../harness/failed-login.ts";

export interface MixedLogOptions {
  lines: number;
  /** How many of a hundred lines are failed logins. */
  failures: number;
}

const START = Date.UTC(2026, 10, 20);

/** As rsyslog writes mail.log, about one line in ten from Dovecot. */
export function mixedMailLog({ lines, failures }: MixedLogOptions): Buffer {
  const random = mulberry32(20_261_124);
  const pick = (n: number) => Math.floor(random() * n);
  const host = () => `203.0.${pick(256)}.${pick(256)}`;
  const hex = (n: number) => Array.from({ length: n }, () => pick(16).toString(16)).join("");
  const parts: string[] = [];
  for (let index = 0; index < lines; index += 1) {
    const at = START + index * 20;
    const stamp = new Date(at).toISOString().replace("Z", "000+00:00");
    const user = `user${pick(5000)}@example.org`;
    const roll = pick(100);
    if (roll < failures) {
      parts.push(failedLogin({ address: host(), user, attempts: 1 + pick(3), at }));
      continue;
    }
    const id = hex(10).toUpperCase();
    const session = Buffer.from(hex(24), "hex").toString("base64");
    const text = [
      `postfix/smtpd[${pick(32768)}]: connect from mail.example.net[${host()}]`,
      `postfix/smtpd[${pick(32768)}]: ${id}: client=mail.example.net[${host()}]`,
      `postfix/cleanup[${pick(32768)}]: ${id}: message-id=<${hex(20)}@example.net>`,
      `postfix/qmgr[901]: ${id}: from=<${user}>, size=${pick(900_000)}, nrcpt=1 (queue active)`,
      `postfix/smtp[${pick(32768)}]: ${id}: to=<${user}>, relay=mx.example.net[${host()}]:25, delay=0.5, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as ${hex(10)})`,
      `postfix/smtpd[${pick(32768)}]: disconnect from mail.example.net[${host()}] ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7`,
      `rspamd[77]: <${hex(6)}>; task; rspamd_task_write_log: id: <${hex(20)}@example.net>, ip: ${host()}, from: <${user}>, (default: F (no action): [-0.40/15.00])`,
      `dovecot: imap-login: Login: user=<${user}>, method=PLAIN, rip=${host()}, lip=192.0.2.25, mpid=${pick(32768)}, TLS, session=<${session}>`,
      `dovecot: imap(${user})<${pick(32768)}><${session}>: Disconnected: Logged out in=${pick(9000)} out=${pick(90_000)} deleted=0 expunged=0 trashed=0 hdr_count=0 hdr_bytes=0 body_count=0 body_bytes=0`,
      `dovecot: lmtp(${user})<${pick(32768)}><${hex(16)}>: sieve: msgid=<${hex(20)}@example.net>: stored mail into mailbox 'INBOX'`,
    ][pick(10)];
    parts.push(`${stamp} mx1 ${text}\n`);
  }
  return Buffer.from(parts.join(""));
}

/** A small generator of random numbers with a seed; Tommy Ettinger's, in the public domain. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
