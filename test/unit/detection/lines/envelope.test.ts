import assert from "node:assert/strict";
import { test } from "node:test";
import { readLine } from "../../../../services/detection/dovecot/read-line.ts";

const NOW = Date.UTC(2026, 2, 4);
const AT = Date.UTC(2026, 2, 3, 4, 5, 6);
const ID = "ZrmCsAVgAcDAAAI3";
const END = `imap-login: Disconnected: Connection closed (auth failed, 2 attempts in 8 secs): user=<bob>, method=PLAIN, rip=192.0.2.55, lip=203.0.113.25, TLS, session=<${ID}>`;
const AUTH = `auth: passwd-file(bob,192.0.2.55,<${ID}>): Password mismatch`;
const AUTH_24 = `auth(bob,192.0.2.55,sasl:plain)<${ID}>: users: Password mismatch`;
const WORKER = `auth-worker(17): conn unix:auth-worker (pid=1,uid=97): auth-worker<7>: sql(bob,192.0.2.55,<${ID}>): Password mismatch`;

/** As Dovecot's own log has it: the level behind the process's name. */
const own = (message: string) =>
  message.startsWith("auth(")
    ? message.replace(">: ", ">: Info: ")
    : message.replace(/^([\w-]+(?:\(\d+\))?: )/, "$1Info: ");
const json = (fields: object) => JSON.stringify(fields);
const micros = String(AT * 1000);

/** What is around a message, and whether it tells the time (with a zone of its own, or UTC). */
const ENVELOPES: Readonly<Record<string, [line: (message: string) => string, tells: boolean]>> = {
  "syslog, RFC 3339": [(m) => `2026-03-03T05:05:06.123456+01:00 mx1 dovecot: ${m}`, true],
  "syslog with a pid": [(m) => `2026-03-03T04:05:06Z mx1 dovecot[7]: ${m}`, true],
  "syslog of a host known by its IPv6 address": [
    (m) => `2026-03-03T04:05:06Z 2001:db8::5 dovecot: ${m}`,
    true,
  ],
  "an instance": [(m) => `2026-03-03T04:05:06Z mx1 dovecot-front: ${m}`, true],
  "an instance by another name": [(m) => `2026-03-03T04:05:06Z mx1 front-dovecot[1]: ${m}`, true],
  "RFC 5424": [(m) => `<22>1 2026-03-03T04:05:06.003Z mx1 dovecot 241 - - ${m}`, true],
  "RFC 5424 with data": [
    (m) => `<22>1 2026-03-03T04:05:06Z mx1 dovecot 241 - [a b="1"][t tzKnown="1"] ${m}`,
    true,
  ],
  "no stamp": [(m) => m, false],
  "a tag alone": [(m) => `dovecot: ${m}`, false],
  "journalctl -o json": [
    (m) => json({ __REALTIME_TIMESTAMP: micros, SYSLOG_IDENTIFIER: "dovecot", MESSAGE: m }),
    true,
  ],
  "journalctl -o json with bytes": [
    (m) =>
      json({
        __REALTIME_TIMESTAMP: micros,
        SYSLOG_IDENTIFIER: "dovecot",
        MESSAGE: [...Buffer.from(m)],
      }),
    true,
  ],
  "journalctl -o short-full": [(m) => `Tue 2026-03-03 04:05:06 UTC mx1 dovecot[7]: ${m}`, true],
  "journalctl -o short-unix": [(m) => `${AT / 1000}.000000 mx1 dovecot[7]: ${m}`, true],
  "docker's json-file": [
    (m) => json({ log: `${own(m)}\n`, stream: "stderr", time: "2026-03-03T04:05:06.123456789Z" }),
    true,
  ],
  "docker's json-file with a stamp of its own": [
    (m) => json({ log: `2026-03-03T04:05:06Z ${own(m)}\n`, time: "2026-03-03T04:05:07.1Z" }),
    true,
  ],
  "a collector's JSON": [
    (m) => json({ "@timestamp": "2026-03-03T04:05:06Z", message: `dovecot: ${m}` }),
    true,
  ],
  "docker into the journal": [
    (m) =>
      json({
        ...{ __REALTIME_TIMESTAMP: micros, SYSLOG_IDENTIFIER: "3f2a", CONTAINER_NAME: "mail" },
        MESSAGE: `Mar 03 09:09:09 ${own(m)}`,
      }),
    true,
  ],
  "docker logs -t": [(m) => `2026-03-03T04:05:06.123456789Z Mar 03 09:09:09 ${own(m)}`, true],
  "docker logs -t of a syslog": [
    (m) => `2026-03-03T04:05:06.123456789Z Mar  3 09:09:09 3f2a dovecot: ${m}`,
    true,
  ],
  "containerd's log": [(m) => `2026-03-03T04:05:06.1Z stderr F Mar 03 04:05:06 ${own(m)}`, true],
  "containerd's log without a stamp of Dovecot": [
    (m) => `2026-03-03T04:05:06.1Z stderr F ${own(m)}`,
    true,
  ],
  "docker compose, in colors": [
    (m) => `\u001b[36mmail-1  |\u001b[0m 2026-03-03T04:05:06Z mx1 dovecot: ${m}`,
    true,
  ],
  "stderr into syslog": [
    (m) => `2026-03-03T04:05:06Z mx1 dovecot[7]: Mar 03 09:09:09 ${own(m)}`,
    true,
  ],
  "own log, TAI64N": [(m) => `@40000000${(AT / 1000 + 10).toString(16)}00000000 ${own(m)}`, true],
  "own log, %Y-%m-%d %H:%M:%S %z": [(m) => `2026-03-03 04:05:06 +0000 ${own(m)}`, false],
  "own log, %Y-%m-%d %H:%M:%S": [(m) => `2026-03-03 04:05:06 ${own(m)}`, false],
  "own log, %b %d %H:%M:%S": [(m) => `Mar 03 04:05:06 ${own(m)}`, false],
  "own log, %d.%m.%Y %H:%M:%S": [(m) => `03.03.2026 04:05:06 ${own(m)}`, false],
  "own log, [%d/%b/%Y:%H:%M:%S %z]": [(m) => `[03/Mar/2026:04:05:06 +0000] ${own(m)}`, true],
  "own log, %A, %d. %B %Y, %H.%M": [(m) => `Tuesday, 03. March 2026, 04.05 ${own(m)}`, false],
  "own log, %s": [(m) => `${AT / 1000} ${own(m)}`, true],
  "own log, %F %T %Z": [(m) => `2026-03-03 04:05:06 CET ${own(m)}`, false],
  "own log, microseconds": [(m) => `Mar 03 04:05:06.123456 ${own(m)}`, false],
};

for (const [name, [write, tells]] of Object.entries(ENVELOPES)) {
  test(`${name}: is taken off every message`, () => {
    for (const message of [END, AUTH, AUTH_24, WORKER]) {
      const reading = readLine(write(message), NOW);
      const { verdict, address, user, session, attempts, at } = reading;
      const expected = ["failure", "192.0.2.55", "bob", ID, message === END ? 2 : 1];
      assert.deepEqual([verdict, address, user, session, attempts], expected, write(message));
      if (tells) assert.equal(Math.floor((at ?? 0) / 1000), AT / 1000, write(message));
    }
  });
}

test("what another program writes is not Dovecot's, however it looks", () => {
  for (const line of [
    `2026-03-03T04:05:06Z mx1 postfix/smtpd[7]: ${END}`,
    `2026-03-03T04:05:06Z mx1 app: Mar 03 04:05:06 ${own(END)}`,
    `2026-03-03T04:05:06Z mx1 app[1]: 2026-03-03T04:05:06Z mx1 dovecot: ${END}`,
    `Mar  3 04:05:06 mx1 sshd[7]: Invalid user dovecot: ${END}`,
    json({ SYSLOG_IDENTIFIER: "sshd", MESSAGE: END }),
    json({ SYSLOG_IDENTIFIER: "app", MESSAGE: `Mar 03 04:05:06 ${own(END)}` }),
    `127.0.0.1 - - [03/Mar/2026:04:05:06 +0000] "GET / ${own(END)}"`,
    `2026-03-03T04:05:06Z mx1 imap: ${own(AUTH)}`,
  ]) {
    assert.equal(readLine(line, NOW).verdict, "other", line);
  }
});

/** Elements in orders of the administrator's own, around `user=<X>`. */
const ELEMENTS: Readonly<Record<string, (user: string) => string>> = {
  "as of old": (u) => `user=<${u}>, method=PLAIN, rip=192.0.2.55, lip=203.0.113.25`,
  "with a cipher": (u) =>
    `user=<${u}>, method=PLAIN, rip=192.0.2.55, lip=203.0.113.25, mpid=0, TLS, TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)`,
  "with the session in the middle": (u) =>
    `user=<${u}>, method=PLAIN, rip=192.0.2.55, session=<${ID}>, lip=203.0.113.25, TLS`,
  "with the session first": (u) =>
    `session=<${ID}>, user=<${u}>, method=PLAIN, rip=192.0.2.55, TLS`,
  "with the address first": (u) =>
    `rip=192.0.2.55, lip=203.0.113.25, session=<${ID}>, method=PLAIN, user=<${u}>`,
  "with the method first and the name last": (u) =>
    `method=PLAIN, rip=192.0.2.55, lip=203.0.113.25, session=<${ID}>, user=<${u}>`,
  "with the service first": (u) =>
    `service=imap, user=<${u}>, method=PLAIN, rip=192.0.2.55, lip=203.0.113.25`,
  "without a mechanism, encrypted": (u) => `user=<${u}>, rip=192.0.2.55, lip=203.0.113.25, TLS`,
};
const NAMES = [
  ...["bob", "x, rip=9.9.9.9, lip=1.1.1.1", "x>, method=PLAIN, rip=9.9.9.9, session=<AAAA"],
  ...["a: user=<b", "x>, rip=9.9.9.9, lip=1.1.1.1, TLS, session=<y", ">", "<", "user=<", ""],
];

for (const [name, write] of Object.entries(ELEMENTS)) {
  test(`elements ${name}: the address and the name are found`, () => {
    for (const user of NAMES) {
      const text = `dovecot: imap-login: Disconnected: Inactivity (auth failed, 3 attempts in 9 secs): ${write(user)}`;
      const reading = readLine(text, NOW);
      const read = [reading.verdict, reading.attempts, reading.address, reading.user];
      assert.deepEqual(read, ["failure", 3, "192.0.2.55", user], text);
      if (write(user).includes(ID)) assert.equal(reading.session, ID, text);
    }
  });
}

test("the session's address tells which of two is right, where a name stands behind the address", () => {
  const text = `dovecot: imap-login: Disconnected: Inactivity (auth failed, 1 attempts in 9 secs): user=<a>, method=PLAIN, rip=192.0.2.55, lip=203.0.113.25, TLS, sni=x, rip=9.9.9.9, session=<${ID}>`;
  assert.equal(readLine(text, NOW).address, "192.0.2.55");
});

test("Docker's own fields are read as those of a record with more of them", () => {
  const texts = [
    "imap-login: Login aborted: x: user=<bob>, rip=192.0.2.9\n",
    "2026-03-03 04:05:06 auth: Info: passwd-file(bob,192.0.2.9): Password mismatch\n",
    "",
  ];
  for (const log of texts) {
    for (const time of ["2026-03-03T04:05:06.784598Z", ""]) {
      const fields = { log, stream: "stderr", time };
      const read = readLine(JSON.stringify(fields), NOW);
      assert.deepEqual(read, readLine(JSON.stringify({ ...fields, attrs: {} }), NOW));
    }
  }
});
