/**
 * Every envelope with every stamp, program, message and order of elements that can stand in it: all
 * of them must be read as the same attempt.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readLine } from "../../../../services/detection/dovecot/read-line.ts";
import type { LogFacts } from "../../../../services/detection/lines/log-facts.ts";
import { parseZone, type Zone } from "../../../../services/detection/lines/zone.ts";

const UTC = parseZone("+00:00") as Zone;
const AT = Date.UTC(2026, 2, 3, 4, 5, 6);
const NOW = AT + 60_000;
const LOG: LogFacts = { zone: UTC, writers: "dovecot", instances: undefined };
const SECOND = 1_000;
const ID = "ZrmCsAVgAcDAAAI3";

interface Stamp {
  text: string;
  hasZone: boolean;
}

const zoned = (text: string): Stamp => ({ text, hasZone: true });
const local = (text: string): Stamp => ({ text, hasZone: false });

/** 04:05:06 UTC on 3 March 2026, in a log of UTC. */
const STAMPS: readonly Stamp[] = [
  local("Mar  3 04:05:06"),
  local("Mar 3 04:05:06"),
  local("Mar 03 04:05:06"),
  local("Mar  3 04:05:06.784598"),
  local("Mar  3 2026 04:05:06"),
  local("2026 Mar  3 04:05:06"),
  zoned("Mar  3 04:05:06 UTC"),
  local("Tue Mar  3 04:05:06 2026"),
  zoned("2026-03-03T05:05:06.784598+01:00"),
  zoned("2026-03-03T04:05:06+0000"),
  zoned("2026-03-03T04:05:06.003Z"),
  zoned("2026-03-03T04:05:06.784598123Z"),
  local("2026-03-03T04:05:06"),
  local("2026-03-03 04:05:06"),
  local("2026-03-03 04:05:06,784"),
  local("2026-03-03 04:05:06.784598"),
  zoned("2026-03-03 05:05:06 +0100"),
  local("2026-03-03 04:05:06 CET"),
  local("2026/03/03 04:05:06"),
  local("03.03.2026 04:05:06"),
  zoned("03/Mar/2026:04:05:06 +0000"),
  local("[2026-03-03 04:05:06]"),
  zoned("[2026-03-03T05:05:06+01:00]"),
  zoned("Tue 2026-03-03 04:05:06 UTC"),
  zoned("1772510706.784598"),
  zoned("1772510706.784"),
  zoned("1772510706"),
  zoned("@4000000069a65dfc2a3b4c5d"),
];

/** Another time, as of a container whose clock is another zone's. */
const WRONG_STAMPS = ["Mar  3 09:09:09", "2026-03-03 09:09:09", "03.03.2026 09:09:09"];

/** What stands between a stamp and the message of a process that logs through syslog. */
const PROGRAMS: Readonly<Record<string, string>> = {
  usual: "mx1 dovecot: ",
  "with a process id": "mx1 dovecot[26236]: ",
  "an instance": "mx1 dovecot-mx2[1]: ",
  "Docker's tag": "mx1 mail/dovecot[1]: ",
  "a host that is a container's id": "5c6de8b0d5a1 dovecot: ",
  "a host of IPv6": "2001:db8::5 dovecot: ",
  "a host of IPv4": "192.0.2.5 dovecot[3]: ",
  "a chain of hosts": "src@mx1/192.0.2.9 dovecot[3]: ",
  "facility of BSD": "<mail.info> mx1 dovecot[241]: ",
  BusyBox: "mx1 mail.info dovecot: ",
  OpenWrt: "mail.info dovecot[241]: ",
  AIX: "mx1 mail:info dovecot[241]: ",
  metalog: "[dovecot] ",
  Solaris: "mx1 dovecot: [ID 583609 mail.info] ",
  macOS: "mx1 log[71]: (libdovecot.0.dylib) ",
  "no host": "dovecot: ",
  "no host, with a process id": "dovecot[37002]: ",
};

interface Case {
  message: string;
  attempts: number;
}

/** Orders and spellings of `login_log_format_elements`. */
const ELEMENTS = [
  `user=<bob>, method=PLAIN, rip=192.0.2.55, lip=203.0.113.25, TLS, session=<${ID}>`,
  `rip=192.0.2.55, lip=203.0.113.25, session=<${ID}>, method=PLAIN, user=<bob>`,
  `user=<bob>, method=PLAIN, rip=192.0.2.55:50124, lip=203.0.113.25:143, session=<${ID}>`,
];

const MESSAGES: readonly Case[] = [
  ...ELEMENTS.map((elements) => ({
    message: `imap-login: Disconnected: Connection closed (auth failed, 2 attempts in 8 secs): ${elements}`,
    attempts: 2,
  })),
  {
    message: `managesieve-login: Login aborted: Logged out (auth failed, 1 attempts in 3 secs) (auth_failed): ${ELEMENTS[0] ?? ""}`,
    attempts: 1,
  },
  { message: `auth: passwd-file(bob,192.0.2.55,<${ID}>): Password mismatch`, attempts: 1 },
  { message: `auth(bob,192.0.2.55,sasl:plain)<${ID}>: users: Password mismatch`, attempts: 1 },
  {
    message: `auth-worker(17): conn unix:auth-worker (pid=1,uid=97): auth-worker<7>: sql(bob,192.0.2.55,<${ID}>): Password mismatch`,
    attempts: 1,
  },
];

/** As Dovecot's own log has it: the level behind the process's name. */
const own = (message: string) =>
  message.startsWith("auth(")
    ? message.replace(">: ", ">: Info: ")
    : message.replace(/^([\w-]+(?:\(\d+\))?: )/, "$1Info: ");

const json = (fields: object) => JSON.stringify(fields);
const ISO = "2026-03-03T04:05:06.784598123Z";
const EPOCH = AT / 1_000 + 0.784;

/** What names a container around its line. */
const CONTAINERS: Readonly<Record<string, (line: string) => string>> = {
  "docker compose": (line) => `mailserver  | ${line}`,
  "docker compose, in colors": (line) => `\u001b[36mdovecot-1  |\u001b[0m ${line}`,
  "docker service": (line) => `mail_dovecot.1.x7k2m9p0qwer@node1    | ${line}`,
  "podman-compose": (line) => `[mailserver] | ${line}`,
  "kubectl --prefix": (line) => `[pod/mail-0/dovecot] ${line}`,
  "kubectl --prefix, in compose's output": (line) => `mail-1 | [pod/mail-0/dovecot] ${line}`,
};

/** Stern names a pod and its container without a mark: a stamp or the process tells the line. */
const STERN: Readonly<Record<string, (line: string) => string>> = {
  stern: (line) => `mail-0 dovecot ${line}`,
  "stern, in colors": (line) => `\u001b[92mmail-0\u001b[0m \u001b[92mdovecot\u001b[0m ${line}`,
  "stern --all-namespaces": (line) => `office mail-7d9c5-x2x4z dovecot ${line}`,
};

/** What has a time of its own, which is exact, in front of a line of any kind. */
const TIMED: Readonly<Record<string, (line: string) => string>> = {
  "docker logs -t": (line) => `${ISO} ${line}`,
  "containerd's log": (line) => `${ISO} stderr F ${line}`,
  "docker compose logs -t": (line) => `dovecot-1  | ${ISO} ${line}`,
  "stern --timestamps": (line) => `mail-0 dovecot ${ISO} ${line}`,
  "Docker's json-file": (line) => json({ log: `${line}\n`, stream: "stderr", time: ISO }),
  "Docker's json-file with a tag": (line) =>
    json({ log: `${line}\n`, stream: "stdout", attrs: { tag: "mail/dovecot" }, time: ISO }),
  "a container into the journal": (line) =>
    json({
      __REALTIME_TIMESTAMP: String(AT * 1_000),
      SYSLOG_IDENTIFIER: "3f2a9c1d0b11",
      CONTAINER_NAME: "mailserver",
      MESSAGE: line,
    }),
  "Fluentd of Docker": (line) =>
    json({ container_name: "/mailserver", source: "stderr", log: line, "@timestamp": ISO }),
  "Fluentd's out_file": (line) => `2026-03-03T04:05:06+00:00\tdocker.mail\t${json({ log: line })}`,
  "Fluentd's stdout": (line) =>
    `2026-03-03 05:05:06.784598 +0100 docker.mail: ${json({ log: line })}`,
  "Fluent Bit's json_lines": (line) =>
    json({ date: EPOCH, log: line, kubernetes: { pod_name: "x-1", container_name: "dovecot" } }),
  "Fluent Bit's json": (line) => `[${json({ date: EPOCH, log: line })}]`,
  "Fluent Bit's out_file": (line) => `tail.0: [${EPOCH}, ${json({ log: line })}]`,
  "Fluent Bit's record": (line) => `[[${EPOCH}, {}], ${json({ log: line })}]`,
  "Vector of Docker": (line) =>
    json({
      container_id: "9b6247364a03",
      container_name: "mailserver",
      image: "mailserver:14",
      message: line,
      source_type: "docker_logs",
      stream: "stderr",
      timestamp: ISO,
    }),
  "Vector of Kubernetes": (line) =>
    json({
      kubernetes: { container_name: "dovecot", pod_name: "a-0" },
      message: line,
      timestamp: ISO,
    }),
  "logcli -o jsonl": (line) =>
    json({ labels: { container: "dovecot", pod: "mail-0" }, line, timestamp: ISO }),
  logcli: (line) => `2026-03-03T05:05:06+01:00 {container="dovecot", job="a \\"b\\" c"} ${line}`,
  "a push to Loki": (line) =>
    json({
      streams: [{ stream: { container: "dovecot" }, values: [[`${AT}784598`, line]] }],
    }),
  "GELF of Docker": (line) =>
    json({
      ...{ version: "1.1", host: "mx1", short_message: line, timestamp: EPOCH, level: 3 },
      ...{ _container_name: "mailserver", _image_name: "mailserver:14", _tag: "3f2a" },
    }),
  "Filebeat of Docker": (line) =>
    json({
      ...{ "@timestamp": ISO, log: { offset: 7, file: { path: "/x.log" } }, message: line },
      ...{ container: { name: "mailserver", id: "3f2a" }, stream: "stderr" },
    }),
  "OpenTelemetry's body": (line) => json({ timestamp: ISO, body: line }),
};

/** What has the program and the time in fields, and the message without both. */
const FIELDED: Readonly<Record<string, (message: string) => string>> = {
  "RFC 5424": (m) => `<22>1 ${ISO} mx1 dovecot 241 - - ${m}`,
  "RFC 5424 of an instance, with data": (m) =>
    `<22>1 ${ISO} mx1 dovecot-mx2 241 - [a b="1"][t tzKnown="1"] ${m}`,
  "RFC 5424 without priority": (m) => `1 ${ISO} mx1 dovecot - - - ${m}`,
  "rsyslog's RSYSLOG_SyslogProtocol23Format": (m) => `<22>1 ${ISO} mx1 dovecot - - -  ${m}`,
  journald: (m) =>
    json({
      ...{ __REALTIME_TIMESTAMP: String(AT * 1_000), SYSLOG_IDENTIFIER: "dovecot", MESSAGE: m },
    }),
  "journald, in bytes": (m) =>
    json({
      ...{ __REALTIME_TIMESTAMP: String(AT * 1_000), SYSLOG_IDENTIFIER: "dovecot-mx2" },
      MESSAGE: [...Buffer.from(m)],
    }),
  "syslog-ng's format-json": (m) =>
    json({
      ...{ PROGRAM: "dovecot", PID: "241", HOST: "mx1", FACILITY: "mail", PRIORITY: "info" },
      ...{ MESSAGE: m, ISODATE: "2026-03-03T05:05:06+01:00", DATE: "Mar  3 09:09:09" },
    }),
  "syslog-ng's format-gelf": (m) =>
    json({ version: "1.1", host: "mx1", short_message: m, timestamp: EPOCH, _program: "dovecot" }),
  "rsyslog's template": (m) =>
    json({ timestamp: ISO, host: "mx1", programname: "dovecot", message: ` ${m}` }),
  "rsyslog's jsonmesg": (m) =>
    json({
      ...{ msg: ` ${m}`, rawmsg: "x", timereported: ISO, hostname: "mx1" },
      ...{ syslogtag: "dovecot[241]:", programname: "dovecot", "app-name": "dovecot", $: null },
    }),
  "Vector of syslog": (m) =>
    json({
      ...{ appname: "dovecot", facility: "mail", host: "mx1", hostname: "mx1", message: m },
      ...{ procid: 241, severity: "info", source_type: "syslog", timestamp: ISO },
    }),
  "Fluent Bit of syslog": (m) =>
    json({ date: EPOCH, pri: "22", host: "mx1", ident: "dovecot", pid: "241", message: m }),
  "Logstash of syslog": (m) =>
    json({ "@timestamp": ISO, program: "dovecot", pid: "241", logsource: "mx1", message: m }),
  "Filebeat of the journal": (m) =>
    json({
      ...{ "@timestamp": ISO, message: m, syslog: { identifier: "dovecot" } },
      process: { name: "log" },
    }),
  "mailcow's list": (m) =>
    json({ time: String(AT / 1_000), priority: "info", program: "dovecot", message: m }),
};

let combinations = 0;

function expectAttempt(line: string, { attempts }: Case, at?: { hasZone: boolean }): void {
  combinations += 1;
  const reading = readLine(line, NOW, LOG);
  const { verdict, address, user, session } = reading;
  assert.deepEqual(
    [verdict, address, user, session, reading.attempts],
    ["failure", "192.0.2.55", "bob", ID, attempts],
    line,
  );
  if (!at) return;
  assert.equal(Math.floor((reading.at ?? 0) / SECOND), AT / SECOND, line);
  assert.equal(reading.hasZone, at.hasZone, line);
}

/** What Dovecot or its syslog daemon writes: every stamp with every program, and Dovecot's own log. */
function* writtenLines(): Generator<[line: string, message: Case, stamp: Stamp]> {
  for (const message of MESSAGES) {
    for (const stamp of STAMPS) {
      for (const program of Object.values(PROGRAMS)) {
        yield [`${stamp.text} ${program}${message.message}`, message, stamp];
      }
      yield [`${stamp.text} ${own(message.message)}`, message, stamp];
      yield [`${stamp.text} mx1 dovecot[7]: ${stamp.text} ${own(message.message)}`, message, stamp];
    }
  }
}

test("every stamp with every program and message is read", () => {
  for (const [line, message, stamp] of writtenLines()) {
    expectAttempt(line, message, stamp);
    expectAttempt(`<22>${line}`, message, stamp);
  }
});

test("every program is read without a stamp", () => {
  for (const message of MESSAGES) {
    for (const program of Object.values(PROGRAMS)) {
      expectAttempt(`${program}${message.message}`, message);
    }
    expectAttempt(message.message, message);
    expectAttempt(own(message.message), message);
    expectAttempt(`dovecot: Mar 03 04:05:06 ${own(message.message)}`, message, { hasZone: false });
  }
});

for (const [name, wrap] of Object.entries(CONTAINERS)) {
  test(`${name}: a container's tag without a stamp is read`, () => {
    for (const message of MESSAGES) expectAttempt(wrap(`dovecot: ${message.message}`), message);
  });
}

for (const [name, wrap] of [...Object.entries(CONTAINERS), ...Object.entries(STERN)]) {
  test(`${name}: whatever a container writes is read`, () => {
    for (const [line, message, stamp] of writtenLines()) expectAttempt(wrap(line), message, stamp);
    for (const message of MESSAGES) expectAttempt(wrap(own(message.message)), message);
  });
}

for (const [name, wrap] of Object.entries(TIMED)) {
  test(`${name}: its time is exact, whatever is in it`, () => {
    const exact = { hasZone: true };
    for (const [line, message] of writtenLines()) expectAttempt(wrap(line), message, exact);
    for (const message of MESSAGES) {
      expectAttempt(wrap(own(message.message)), message, exact);
      for (const wrong of WRONG_STAMPS) {
        expectAttempt(wrap(`${wrong} ${own(message.message)}`), message, exact);
        expectAttempt(wrap(`${wrong} mx1 dovecot: ${message.message}`), message, exact);
      }
    }
  });
}

for (const [name, write] of Object.entries(FIELDED)) {
  test(`${name}: its time is exact, whatever Dovecot puts in front of a message`, () => {
    const exact = { hasZone: true };
    for (const message of MESSAGES) {
      expectAttempt(write(message.message), message, exact);
      for (const stamp of [...STAMPS.map(({ text }) => text), ...WRONG_STAMPS]) {
        expectAttempt(write(`${stamp} ${own(message.message)}`), message, exact);
      }
      for (const wrap of [...Object.values(CONTAINERS), ...Object.values(STERN)]) {
        expectAttempt(wrap(write(message.message)), message, exact);
      }
    }
  });
}

test("there are thousands of combinations", () => assert.ok(combinations > 10_000));
