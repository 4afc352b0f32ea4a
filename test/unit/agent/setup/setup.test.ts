import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import { agentConfig } from "../../../../services/agent/agent-config.ts";
import { chooseTarget, findDovecot } from "../../../../services/agent/setup/find-dovecot.ts";
import { findTools } from "../../../../services/agent/setup/find-tools.ts";
import type { Lookups } from "../../../../services/agent/setup/lookups.ts";
import { proposeConfig } from "../../../../services/agent/setup/propose-config.ts";
import { setUp } from "../../../../services/agent/setup/setup.ts";
import { failedLogin } from "../../../harness/failed-login.ts";

/** A machine on which these commands print this, and these files hold these lines. */
function machine(
  commands: Readonly<Record<string, string>>,
  files: Readonly<Record<string, string>> = {},
): Lookups {
  return {
    run: (...words) => Promise.resolve(commands[words.join(" ")]),
    exists: (path) => path in files,
    tail: (path) => files[path]?.split("\n").slice(0, -1),
  };
}

const DEBIAN = {
  "dovecot --version": "2.3.19.1 (9b53102964)",
  "doveconf -h info_log_path": "",
  "doveconf -h log_path": "syslog",
  "systemctl show --property=LoadState --value dovecot.service": "loaded",
};
const targetOf = async (lookups: Lookups) =>
  chooseTarget(await findDovecot(lookups), lookups)?.target;

test("a Dovecot that writes its own log is read there", async () => {
  const commands = { ...DEBIAN, "doveconf -h info_log_path": "/var/log/dovecot-info.log" };
  const target = await targetOf(
    machine(commands, { "/var/log/mail.log": failedLogin({ address: "192.0.2.1" }) }),
  );
  assert.deepEqual(target, { kind: "file", path: "/var/log/dovecot-info.log" });
});

test("of several syslog files the one with Dovecot's lines is read", async () => {
  const files = {
    "/var/log/mail.log": "postfix\n",
    "/var/log/messages": failedLogin({ address: "192.0.2.1" }),
  };
  assert.deepEqual(await targetOf(machine(DEBIAN, files)), {
    kind: "file",
    path: "/var/log/messages",
  });
});

test("without a syslog file the unit's journal is read", async () => {
  assert.deepEqual(await targetOf(machine(DEBIAN)), { kind: "journal", unit: "dovecot.service" });
});

test("a Dovecot in a container alone is read by the container's name", async () => {
  const lookups = machine({
    "docker ps --format {{.Names}}\t{{.Image}}": "web\tnginx:1\nmail\tdovecot/dovecot:2.4",
    "docker version --format {{.Server.Version}}": "27.1",
  });
  const dovecot = await findDovecot(lookups);
  assert.deepEqual(dovecot.containers, [
    { engine: "docker", name: "mail", image: "dovecot/dovecot:2.4" },
  ]);
  assert.deepEqual(await targetOf(lookups), { kind: "container", name: "mail" });
  assert.deepEqual(
    (await findTools(lookups)).map(({ name }) => name),
    ["Docker"],
  );
});

test("other tools are found by what they leave on a machine", async () => {
  const commands = {
    "ufw status": "Status: active",
    "systemctl is-active firewalld.service": "inactive",
  };
  const files = { "/etc/fail2ban": "", "/etc/crowdsec": "" };
  const tools = await findTools(machine(commands, files));
  assert.deepEqual(
    tools.map(({ name }) => name),
    ["fail2ban", "CrowdSec", "ufw"],
  );
});

test("every proposal is an agent.yaml that the agent takes", () => {
  const base = {
    host: "mx1",
    natsUrl: "tls://nats.example.org:4222",
    creds: "/etc/fleetban/agent.creds",
  };
  for (const target of [
    { kind: "file", path: "/var/log/mail.log" },
    { kind: "journal", unit: "dovecot.service" },
    { kind: "container", name: "mail" },
  ] as const) {
    const yaml = proposeConfig({ ...base, target, backend: "nftables", isInDocker: true });
    const config = agentConfig.parse(parse(yaml));
    assert.equal(config.sources[0]?.jail, "dovecot");
    assert.deepEqual(config.firewall.chains, ["INPUT", "DOCKER-USER"]);
  }
  const unknown = proposeConfig({
    ...base,
    target: undefined,
    backend: undefined,
    isInDocker: false,
  });
  assert.deepEqual(agentConfig.parse(parse(unknown)).firewall.backend, [
    "ipset",
    "nftables",
    "iptables",
  ]);
});

test("setup shows the last ten lines that count, and nothing in them drives a terminal", async () => {
  const log = Array.from({ length: 15 }, (_, index) =>
    failedLogin({ address: `198.51.100.${index}`, user: "bob\u001b[2J" }),
  );
  const lookups = machine(DEBIAN, {
    "/var/log/mail.log": ["mx postfix/smtpd[1]: connect\n", ...log].join(""),
  });
  let output = "";
  const write = (text: string) => (output += text);
  const chooseFirewall = () => Promise.resolve({ kind: "ipset" as const, passedOver: [] });
  const options = {
    lookups,
    chooseFirewall,
    natsUrl: "nats://127.0.0.1:4222",
    now: Date.now(),
    write,
  };
  assert.equal(await setUp({ ...options, isYamlOnly: false }), 0);
  assert.match(output, /^Dovecot +version 2\.3\.19\.1, logs to syslog, unit dovecot\.service$/m);
  assert.match(output, /^of the last 16 lines of \/var\/log\/mail\.log, these would count:$/m);
  const counted = output.split("\n").filter((line) => line.startsWith("  1 attempt of "));
  assert.deepEqual(
    counted.map((line) => /of 198\.51\.100\.(\d+)/.exec(line)?.[1]),
    ["5", "6", "7", "8", "9", "10", "11", "12", "13", "14"],
  );
  assert.ok(!output.includes("\u001b"));

  output = "";
  await setUp({ ...options, isYamlOnly: true });
  assert.deepEqual(agentConfig.parse(parse(output)).sources[0]?.path, "/var/log/mail.log");
});
