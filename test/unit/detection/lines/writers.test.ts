import assert from "node:assert/strict";
import { test } from "node:test";
import { readLine } from "../../../../services/detection/dovecot/read-line.ts";
import { LOCAL_LOG, type LogFacts } from "../../../../services/detection/lines/log-facts.ts";

const NOW = Date.UTC(2026, 2, 4);
const AUTH = "auth: passwd-file(bob,192.0.2.55): unknown user";
const OWN = `Mar 03 04:05:06 ${AUTH.replace(": ", ": Info: ")}`;
const END =
  "imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<bob>, method=PLAIN, rip=192.0.2.55, lip=192.0.2.25";
const PAM =
  "authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=bob rhost=192.0.2.55  user=bob";
const json = (fields: object) => JSON.stringify(fields);

/** Lines whose writer is named `name`, in every envelope that names one. */
const NAMED: Readonly<Record<string, (name: string) => string>> = {
  "docker compose": (name) => `${name}-1  | ${OWN}`,
  "docker compose, in colors": (name) => `\u001b[36m${name}-1  |\u001b[0m ${OWN}`,
  "docker compose without a stamp": (name) => `${name}  | ${AUTH}`,
  "docker service": (name) => `stack_${name}.1.x7k2m9p0qwer@node1    | ${OWN}`,
  "podman-compose": (name) => `[${name}] | ${OWN}`,
  "kubectl --prefix": (name) => `[pod/a-0/${name}] ${OWN}`,
  stern: (name) => `a-0 ${name} ${OWN}`,
  "stern --all-namespaces": (name) => `office a-0 ${name} ${OWN}`,
  "stern -o json": (name) =>
    json({ message: OWN, namespace: "a", podName: "a-0", containerName: name }),
  "a syslog line in compose's output": (name) => `${name}-1 | Mar  3 04:05:06 mx1 dovecot: ${AUTH}`,
  journald: (name) => json({ SYSLOG_IDENTIFIER: "dovecot", CONTAINER_NAME: name, MESSAGE: OWN }),
  "Docker's tag": (name) => json({ log: `${OWN}\n`, stream: "stderr", attrs: { tag: name } }),
  "Docker's service": (name) =>
    json({ log: OWN, attrs: { "com.docker.compose.service": name }, time: "2026-03-03T04:05:06Z" }),
  Fluentd: (name) => json({ container_name: `/${name}`, log: OWN }),
  "Fluent Bit of Kubernetes": (name) =>
    json({ log: OWN, kubernetes: { pod_name: "mail-0", container_name: name } }),
  Filebeat: (name) => json({ message: OWN, container: { name } }),
  GELF: (name) => json({ version: "1.1", short_message: OWN, _container_name: `/${name}` }),
  "logcli -o jsonl": (name) => json({ labels: { container: name }, line: OWN }),
  logcli: (name) => `2026-03-03T04:05:06Z {container="${name}", x="y"} ${OWN}`,
  "a push to Loki": (name) =>
    json({ streams: [{ stream: { container: name }, values: [["1772510706784598000", OWN]] }] }),
};

/** Likewise of syslog, where the name is a program's. */
const TAGGED: Readonly<Record<string, (name: string) => string>> = {
  syslog: (name) => `Mar  3 04:05:06 mx1 ${name}: ${AUTH}`,
  "syslog with a process id": (name) => `2026-03-03T04:05:06Z mx1 ${name}[7]: ${END}`,
  "a tag alone": (name) => `${name}: ${AUTH}`,
  metalog: (name) => `Mar  3 04:05:06 [${name}] ${END}`,
  BusyBox: (name) => `Mar  3 04:05:06 mx1 mail.info ${name}: ${END}`,
  PAM: (name) => `Mar  3 04:05:06 mx1 ${name}(pam_unix)[7]: ${PAM}`,
  "RFC 5424": (name) => `<22>1 2026-03-03T04:05:06Z mx1 ${name} 7 - - ${AUTH}`,
  journald: (name) => json({ SYSLOG_IDENTIFIER: name, MESSAGE: AUTH }),
  "syslog-ng": (name) => json({ PROGRAM: name, MESSAGE: AUTH }),
  rsyslog: (name) => json({ programname: name, message: ` ${AUTH}` }),
  "rsyslog's tag": (name) => json({ syslogtag: `${name}[7]:`, msg: ` ${AUTH}` }),
  Vector: (name) => json({ appname: name, message: AUTH, source_type: "syslog" }),
  "Fluent Bit": (name) => `tail.0: [1772510706.0, ${json({ ident: name, message: AUTH })}]`,
  GELF: (name) => json({ short_message: AUTH, _program: name }),
  Elastic: (name) => json({ message: AUTH, log: { syslog: { appname: name } } }),
};

const counts = (line: string, instances?: readonly string[]) => {
  const log: LogFacts = { ...LOCAL_LOG, instances };
  const { verdict, address } = readLine(line, NOW, log);
  return verdict === "failure" && address === "192.0.2.55";
};

for (const [name, write] of Object.entries(NAMED)) {
  test(`${name}: the container's name decides whether a line counts`, () => {
    for (const own of ["dovecot", "mailserver", "imap"]) assert.ok(counts(write(own)), write(own));
    for (const other of ["nginx", "webshop", "db"]) {
      assert.ok(!counts(write(other)), write(other));
      assert.ok(readLine(write(other), NOW).isUnrecognized, `${write(other)} is reported`);
    }
  });

  test(`${name}: where the source names a container, no other counts`, () => {
    assert.ok(counts(write("front"), ["front"]), write("front"));
    assert.ok(!counts(write("webmail"), ["front"]), write("webmail"));
    assert.ok(!counts(write("storefront"), ["front"]), write("storefront"));
  });
}

for (const [name, write] of Object.entries(TAGGED)) {
  test(`${name}: the program's name decides whether a line counts`, () => {
    for (const own of ["dovecot", "dovecot-mx2"]) assert.ok(counts(write(own)), write(own));
    for (const other of ["mail1", "webshop"]) assert.ok(!counts(write(other)), write(other));
    assert.ok(counts(write("mail1"), ["mx9", "mail1"]), write("mail1"));
    assert.ok(counts(write("dovecot"), ["mail1"]), write("dovecot"));
  });
}

test("a line that would count if Dovecot had written it is reported, and others are not", () => {
  const isReported = (line: string) => readLine(line, NOW).isUnrecognized;
  assert.ok(isReported(`Mar  3 04:05:06 mx1 mail1: ${END}`));
  assert.ok(!isReported(`Mar  3 04:05:06 mx1 mail1: connect from ${END}`));
  assert.ok(
    !isReported(`Mar  3 04:05:06 mx1 mail1: ${END.replace("(auth failed, 1", "(no auth")}`),
  );
  assert.ok(!isReported(`Mar  3 04:05:06 mx1 sshd[7]: pam_unix(sshd:auth): ${PAM}`));
});

test("nobody speaks for Dovecot by what he puts at the beginning of another program's message", () => {
  for (const line of [
    `Mar  3 04:05:06 mx1 webapp[1]: (libdovecot.0.dylib) ${AUTH}`,
    `Mar  3 04:05:06 mx1 webapp[1]: mail-1 | ${OWN}`,
    `Mar  3 04:05:06 mx1 webapp[1]: [pod/mail-0/dovecot] ${OWN}`,
    `Mar  3 04:05:06 mx1 webapp[1]: {"program":"dovecot","message":"${AUTH}"}`,
    `Mar  3 04:05:06 mx1 webapp[1]: <22>Mar  3 04:05:06 mx1 dovecot: ${AUTH}`,
    `Mar  3 04:05:06 mx1 webapp[1]: [dovecot] ${AUTH}`,
    `Mar  3 04:05:06 mx1 webapp: mx1 dovecot: ${AUTH}`,
    `<22>1 2026-03-03T04:05:06Z mx1 webapp 7 - - dovecot: ${AUTH}`,
    json({ program: "webapp", message: `Mar  3 04:05:06 mx1 dovecot: ${AUTH}` }),
    json({ CONTAINER_NAME: "shop", MESSAGE: `mail-1 | ${OWN}` }),
    json({ container_name: "shop", log: json({ program: "dovecot", message: AUTH }) }),
    `nginx-1  | mail-1  | ${OWN}`,
    `nginx-1  | ${json({ program: "dovecot", message: AUTH })}`,
    `mail-1  | ${json({ program: "shop", message: AUTH })}`,
    json({ container_name: 7, log: OWN }),
    json({ program: ["dovecot"], message: AUTH }),
    json({ program: { name: "shop" }, PROGRAM: "shop", message: AUTH }),
  ]) {
    assert.ok(!counts(line), line);
  }
});
