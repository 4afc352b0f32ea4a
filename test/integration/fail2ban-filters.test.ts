/**
 * Filters of fail2ban as fleetban takes them over, against fail2ban-regex on the same lines: who is
 * found, which user, and when. Where fail2ban is not installed this is skipped.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { importFilter, parseFilterOption } from "../../services/cli/import/fail2ban-filter.ts";
import { compileFilter } from "../../services/detection/filter/filter.ts";
import { readFiltered } from "../../services/detection/filter/filter-detector.ts";
import { parseAddress } from "../../services/wire/address.ts";

const FOLDER = "/etc/fail2ban";
/** The lines that fail2ban tests its own filters with. */
const SAMPLES = "/usr/lib/python3/dist-packages/fail2ban/tests/files/logs";
/** Filters whose samples have failures that several lines tell together, which are not carried over. */
const SESSIONS = new Set(["sshd"]);
/** fail2ban's sshd finds 192.0.2.1 in 192.0.2.1.5, and nobody where a user's name holds " from ". */
const BETTER: Readonly<Record<string, RegExp>> = { sshd: /192\.0\.2\.1\.5| from 192\.0\.2\.66/ };
const isInstalled = existsSync("/usr/bin/fail2ban-regex") && existsSync(FOLDER);

const SYSLOG = "Mar  3 04:05:06 mx1 ";
/** A line of each filter, DATE and all; what stands in its own log is added where it is installed. */
const FILTERS: Readonly<Record<string, readonly string[]>> = {
  postfix: [
    `${SYSLOG}postfix/smtpd[7]: NOQUEUE: reject: RCPT from x.example.org[HOST]: 554 5.7.1 <USER>: Relay access denied; from=<a@b> to=<USER> proto=SMTP helo=<x>`,
  ],
  exim: [
    "2026-03-03 04:05:06 login authenticator failed for (x) [HOST]: 535 Incorrect authentication data (set_id=USER)",
  ],
  "cyrus-imap": [
    `${SYSLOG}cyrus/imap[7]: badlogin: x [HOST] plaintext USER SASL(-13): authentication failure: checkpass failed`,
  ],
  perdition: [
    `${SYSLOG}perdition.imaps[7]: Auth: HOST:2274->192.0.2.9:993 client-secure=ssl authorisation_id=NONE authentication_id="USER" server="x:993" protocol=IMAP4S server-secure=ssl status="failed: Re-Authentication Failure"`,
  ],
  "pam-generic": [
    `${SYSLOG}vsftpd: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=USER rhost=HOST`,
  ],
  dropbear: [`${SYSLOG}dropbear[7]: Bad password attempt for 'USER' from HOST:5543`],
  proftpd: [
    `${SYSLOG}proftpd[7] x.example.org (HOST[HOST]): USER USER: no such user found from HOST [HOST] to 192.0.2.9:21`,
  ],
  "apache-badbots": [
    'HOST - - [03/Mar/2026:04:05:06 +0100] "GET / HTTP/1.0" 200 36 "-" "atSpider/1.0"',
  ],
  "nginx-http-auth": [
    '2026/03/03 04:05:06 [error] 7#0: *9 user "USER": password mismatch, client: HOST, server: x, request: "GET / HTTP/1.1", host: "x"',
  ],
  kerio: [
    "[03/Mar/2026 04:05:06] SMTP Spam attack detected from HOST, client sent data before SMTP greeting",
  ],
  directadmin: ["2026:03:03-04:05:06: 'HOST' 2 failed login attempts. Account 'USER'"],
  grafana: [
    't=2026-03-03T04:05:06+0200 lvl=eror msg="Invalid username or password" logger=context uname=USER error="x" remote_addr=HOST',
  ],
  sshd: [
    `${SYSLOG}sshd[PID]: Failed password for invalid user USER from HOST port 7 ssh2`,
    `${SYSLOG}sshd[PID]: Invalid user USER from HOST port 7`,
  ],
  "postfix[mode=auth]": [
    `${SYSLOG}postfix/smtpd[7]: warning: x[HOST]: SASL LOGIN authentication failed: USER`,
    `${SYSLOG}postfix/smtpd[7]: warning: x[HOST]: SASL PLAIN authentication failed: Connection lost to authentication server`,
  ],
  "courier-auth": [`${SYSLOG}imapd: LOGIN FAILED, user=USER, ip=[HOST]`],
  asterisk: [
    '[2026-03-03 04:05:06] SECURITY[7] res_security_log.c: SecurityEvent="InvalidPassword",AccountID="USER",RemoteAddress="IPV4/UDP/HOST/5084",Challenge="x"',
  ],
  "mysqld-auth": [
    "260303  4:05:06 [Warning] Access denied for user 'USER'@'HOST' (using password: NO)",
  ],
  assp: [
    "Mar-03-26 04:05:06 [SSL-out] HOST SSL negotiation with client failed: SSL accept attempt failed with unknown errorerror:140760FC:x",
  ],
};

/** A line without a date is of now, as fail2ban has it. */
const HOUR_MS = 3_600_000;

const HOSTS = [
  "192.0.2.1",
  "2001:db8::1",
  "[2001:db8::2]",
  "::ffff:192.0.2.3",
  "999.0.2.1",
  "192.0.2.1.5",
  "",
];
const USERS = [
  "bob",
  "bob@example.org",
  "",
  "a b",
  "x' from 192.0.2.66",
  "x (192.0.2.66[192.0.2.66])",
  "x [192.0.2.66]: 535",
  "], client: 192.0.2.66, ",
  "rhost=192.0.2.66 ",
  "<HOST>",
  '\\"',
  "J\u00fcrgen \u2028 \u3000",
  "x\u0000y",
  "Mar  3 04:05:07",
  "2026-03-04 04:05:07",
  "12:00:00",
];

/** Every line of a session of its own, for fail2ban's sshd tells them by their process. */
function* linesOf(pattern: string): Generator<string> {
  let pid = 0;
  for (const line of withNames(pattern)) yield line.replace("PID", () => String((pid += 1)));
}

function* withNames(pattern: string): Generator<string> {
  for (const host of HOSTS) yield pattern.replaceAll("HOST", host).replaceAll("USER", "bob");
  for (const user of USERS) {
    const line = pattern.replaceAll("HOST", "192.0.2.1").replaceAll("USER", () => user);
    yield line;
    yield `${line} `;
    yield line.slice(0, -1);
    yield line.slice(line.indexOf(" ") + 1);
  }
}

function samplesOf(name: string): string[] {
  const path = join(SAMPLES, name);
  if (SESSIONS.has(name) || !existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("#"));
}

interface Found {
  at: number;
  address: string;
  user: string;
}

/** By line. fail2ban takes a name for a host; nothing of fleetban's is banned for a name. */
function askFail2ban(filter: string, log: string): Map<string, Found> {
  const rows = execFileSync(
    "/usr/bin/fail2ban-regex",
    ["--raw", "--encoding=UTF-8", "--out=<time>\t<ip>\t<F-USER>\t<msg>", log, filter],
    {
      encoding: "utf8",
      env: { ...process.env, PYTHONIOENCODING: "utf-8" },
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  const found = new Map<string, Found>();
  for (const row of rows.split("\n")) {
    const [time = "", ip = "", user = "", line = ""] = row.split("\t");
    const address = parseAddress(ip);
    if (address === undefined) continue;
    const at = Math.floor(Number(time)) * 1000;
    found.set(line, {
      at,
      address,
      user: user === "<F-USER>" ? "" : user.replaceAll("\\x00", "\u0000"),
    });
  }
  return found;
}

test(
  "fail2ban's filters find in fleetban what fail2ban-regex finds",
  { skip: isInstalled ? false : "fail2ban is not installed" },
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "fleetban-fail2ban-"));
    try {
      for (const [filter, patterns] of Object.entries(FILTERS)) {
        await t.test(filter, async () => {
          const { name, parameters } = parseFilterOption(filter);
          const rules = importFilter(FOLDER, name, parameters)?.rules;
          assert.ok(rules);
          const compiled = compileFilter(rules);
          const all = [...patterns.flatMap((pattern) => [...linesOf(pattern)]), ...samplesOf(name)];
          const lines = [...new Set(all)].filter(
            (line) => line.trim() !== "" && !BETTER[name]?.test(line),
          );
          const log = join(folder, "log");
          await writeFile(log, lines.map((line) => `${line}\n`).join(""));
          const expected = askFail2ban(filter, log);
          assert.ok(expected.size > 0, "fail2ban-regex finds something");
          const found = new Map<string, Found>();
          for (const line of lines) {
            const { address, user = "", at } = readFiltered(line, compiled, Date.now());
            if (address === undefined) continue;
            found.set(line, { at: Math.floor((at ?? Date.now()) / 1000) * 1000, address, user });
          }
          for (const each of [...found.values(), ...expected.values()]) {
            if (Math.abs(each.at - Date.now()) < HOUR_MS) each.at = 0;
          }
          for (const line of lines) {
            assert.deepEqual(found.get(line), expected.get(line), JSON.stringify(line));
          }
        });
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);
