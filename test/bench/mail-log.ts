/** A mixed log of a mail host, the same at every call, and how many failed attempts are in it. */
export interface MixedLogOptions {
  lines: number;
  /** Of a hundred connections, how many are failed logins; those of one or two lines each. */
  failures: number;
}

export interface MixedLog {
  bytes: Buffer;
  lines: number;
  /** Failed attempts, however many lines tell of each. */
  attempts: number;
}

const START = Date.UTC(2026, 10, 20);

/** As rsyslog writes mail.log with the authentication of sshd and PAM in it. */
export function mixedMailLog({ lines, failures }: MixedLogOptions): MixedLog {
  const random = mulberry32(20_261_124);
  const parts: string[] = [];
  let attempts = 0;
  while (parts.length < lines) {
    const stamp = new Date(START + parts.length * 20).toISOString().replace("Z", "000+00:00");
    const write = (text: string) => parts.push(`${stamp} mx1 ${text}\n`);
    if (random() * 100 < failures) attempts += writeFailure(write, random);
    else write(ordinaryLine(random));
  }
  return { bytes: Buffer.from(parts.join("")), lines: parts.length, attempts };
}

type Random = () => number;

const pickFrom = (random: Random) => (n: number) => Math.floor(random() * n);

function hex(random: Random, length: number): string {
  return Array.from({ length }, () => Math.floor(random() * 16).toString(16)).join("");
}

/** Writes what one connection with a wrong password leaves; returns the failed attempts. */
function writeFailure(write: (text: string) => void, random: Random): number {
  const pick = pickFrom(random);
  const address = `198.${18 + pick(2)}.${pick(256)}.${pick(256)}`;
  const user = `user${pick(5000)}@example.org`;
  const session = Buffer.from(hex(random, 24), "hex").toString("base64");
  const service = pick(3) === 0 ? "pop3" : "imap";
  const attempts = 1 + pick(3);
  const end = (verdict: string) =>
    `dovecot: ${service}-login: ${verdict}: user=<${user}>, method=PLAIN, rip=${address}, lip=192.0.2.25, TLS, session=<${session}>`;
  const once = "(auth failed, 1 attempts in 2 secs)";
  switch (pick(6)) {
    case 0:
      write(end(`Aborted login (auth failed, ${attempts} attempts in 9 secs)`));
      return attempts;
    case 1: // Dovecot 2.4
      write(end(`Login aborted: Connection closed ${once} (auth_failed)`));
      return 1;
    case 2: // auth_verbose
      write(`dovecot: auth: passwd-file(${user},${address},<${session}>): Password mismatch`);
      write(end(`Disconnected: Connection closed ${once}`));
      return 1;
    case 3:
      write(
        `dovecot: auth-worker(304): pam(${user},${address},<${session}>): pam_authenticate() failed: Authentication failure (Password mismatch?)`,
      );
      write(end(`Disconnected: Inactivity ${once}`));
      return 1;
    default:
      write(end(`Disconnected: Connection closed (auth failed, ${attempts} attempts in 7 secs)`));
      return attempts;
  }
}

function ordinaryLine(random: Random): string {
  const pick = pickFrom(random);
  const host = () => `203.0.${pick(256)}.${pick(256)}`;
  const user = `user${pick(5000)}@example.org`;
  const id = hex(random, 10).toUpperCase();
  const pid = pick(32_768);
  const session = Buffer.from(hex(random, 24), "hex").toString("base64");
  const line = [
    `postfix/smtpd[${pid}]: connect from mail.example.net[${host()}]`,
    `postfix/smtpd[${pid}]: ${id}: client=mail.example.net[${host()}]`,
    `postfix/cleanup[${pid}]: ${id}: message-id=<${hex(random, 20)}@example.net>`,
    `postfix/qmgr[901]: ${id}: from=<${user}>, size=${pick(900_000)}, nrcpt=1 (queue active)`,
    `postfix/smtp[${pid}]: ${id}: to=<${user}>, relay=mx.example.net[${host()}]:25, delay=0.5, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as ${hex(random, 10)})`,
    `postfix/smtpd[${pid}]: disconnect from mail.example.net[${host()}] ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7`,
    `postfix/qmgr[901]: ${id}: removed`,
    `rspamd[77]: <${hex(random, 6)}>; task; rspamd_task_write_log: id: <${hex(random, 20)}@example.net>, ip: ${host()}, from: <${user}>, (default: F (no action): [-0.40/15.00])`,
    `dovecot: imap-login: Login: user=<${user}>, method=PLAIN, rip=${host()}, lip=192.0.2.25, mpid=${pid}, TLS, session=<${session}>`,
    `dovecot: imap(${user})<${pid}><${session}>: Disconnected: Logged out in=${pick(9000)} out=${pick(90_000)} deleted=0 expunged=0 trashed=0 hdr_count=0 hdr_bytes=0 body_count=0 body_bytes=0`,
    `dovecot: lmtp(${user})<${pid}><${hex(random, 16)}>: sieve: msgid=<${hex(random, 20)}@example.net>: stored mail into mailbox 'INBOX'`,
    `CRON[${pid}]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)`,
  ];
  // One line in 50 is of somebody who tries sshd: PAM's words, and none of ours.
  return pick(50) === 0
    ? `sshd[${pid}]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=${host()}`
    : (line[pick(line.length)] ?? "");
}

/** A small generator of random numbers with a seed; Tommy Ettinger's, in the public domain. */
function mulberry32(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
