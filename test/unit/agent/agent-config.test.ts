import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { AGENT_VARIABLES, agentConfig } from "../../../services/agent/agent-config.ts";
import { ConfigError, loadConfig } from "../../../services/config/load-config.ts";
import type { Environment } from "../../../services/process/environment.ts";
import { EXIT } from "../../../services/process/exit.ts";
import { NAME } from "../../../services/wire/subjects.ts";

const load = (path?: string, environment: Environment = {}) =>
  loadConfig(agentConfig, path, environment, AGENT_VARIABLES);

/** The configuration that `text` in a file amounts to, or every fault of it without the file's name. */
async function read(text: string, environment: Environment = {}) {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-config-"));
  const path = join(folder, "agent.yaml");
  try {
    await writeFile(path, text);
    return { config: await load(path, environment), faults: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    assert.equal(error.exitCode, EXIT.config);
    const faults = error.message.split("\n").map((line) => line.replaceAll(path, "FILE"));
    return { config: undefined, faults };
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("without a file and without an environment every option has its default", async () => {
  const config = await load();
  assert.match(config.host, NAME);
  const mail = { name: "mail-log", path: "/var/log/mail.log", jail: "dovecot", startAt: "end" };
  assert.deepEqual(config, {
    host: config.host,
    nats: { url: "nats://127.0.0.1:4222" },
    stateDir: "/var/lib/fleetban-agent",
    log: { level: "info" },
    mode: "normal",
    users: "store",
    firewall: { backend: ["ipset"], chains: ["INPUT"], repairEvery: 20 },
    fallbackAfter: 10,
    ignoreip: [],
    sources: [mail],
  });
  assert.deepEqual((await read("")).config, config);
  assert.deepEqual((await read("# nothing\n")).config, config);
});

test("all faults are told at once, each with its place, what was given and what was expected", async () => {
  const { faults } = await read(`
host: mx1.example.org
stateDirectory: /var/lib/x
stateDir: var
log: { level: loud, colour: true }
mode: cautious
firewall: { backend: pf, chains: [], repairEvery: 10 apples }
ignoreip: [192.0.2.0/24, 192.0.2.0/33, "::/0"]
sources:
  - { name: mail log, path: mail.log, jail: a-name-that-is-too-long, startAt: middle }
`);
  const name = (longest: number) => `expected up to ${longest} letters, digits, - and _`;
  assert.deepEqual(
    faults.sort(),
    [
      `FILE: host: ${name(63)}, got "mx1.example.org"`,
      "FILE: stateDirectory: there is no such option",
      'FILE: stateDir: expected an absolute path, got "var"',
      'FILE: log.level: expected one of fatal, error, warn, info, debug, trace, silent, got "loud"',
      "FILE: log.colour: there is no such option",
      'FILE: mode: expected one of normal, aggressive, got "cautious"',
      'FILE: firewall.backend: expected one of ipset, nftables, iptables, dry-run, got "pf"',
      "FILE: firewall.chains: expected at least 1, got []",
      'FILE: firewall.repairEvery: expected a duration such as "10m" or 1200, got "10 apples"',
      'FILE: ignoreip.1: expected an address or a network such as 192.0.2.0/24, got "192.0.2.0/33"',
      "FILE: ignoreip.2: is everybody, nobody would be banned any more",
      `FILE: sources.0.name: ${name(63)}, got "mail log"`,
      'FILE: sources.0.path: expected an absolute path, got "mail.log"',
      `FILE: sources.0.jail: ${name(16)}, got "a-name-that-is-too-long"`,
      'FILE: sources.0.startAt: expected one of end, beginning, got "middle"',
    ].sort(),
  );
});

test("two sources of one name, none at all, and a source without a path are faults", async () => {
  const same = "{ name: mail, path: /a }";
  const { faults } = await read(`sources: [${same}, ${same}]`);
  assert.deepEqual(faults, ["FILE: sources: expected a different name for every source"]);
  assert.deepEqual((await read("sources: []")).faults, [
    "FILE: sources: expected at least 1, got []",
  ]);
  assert.match(
    (await read("sources: [{ name: mail }]")).faults[0] ?? "",
    /^FILE: sources\.0.*: expected .*/,
  );
});

test("the environment stands above the file, and is named in its fault", async () => {
  const environment = {
    FLEETBAN_HOST: "mx2",
    NATS_URL: "nats://192.0.2.1:4222",
    FLEETBAN_STATE_DIR: "",
  };
  const { config } = await read("host: mx1\nstateDir: /srv/state\n", environment);
  assert.deepEqual([config?.host, config?.stateDir], ["mx2", "/srv/state"]);
  assert.equal(config?.nats.url, "nats://192.0.2.1:4222");
  const { faults } = await read("mode: cautious", { FLEETBAN_FIREWALL: "pf" });
  assert.deepEqual(faults.sort(), [
    'FILE: mode: expected one of normal, aggressive, got "cautious"',
    'environment: FLEETBAN_FIREWALL: expected one of ipset, nftables, iptables, dry-run, got "pf"',
  ]);
});

test("firewall back ends are one or several, in order; dry-run stands alone", async () => {
  const chosen = async (text: string, environment: Environment = {}) => {
    const { config, faults } = await read(`firewall: { backend: ${text} }`, environment);
    return config?.firewall.backend ?? faults;
  };
  assert.deepEqual(await chosen("nftables"), ["nftables"]);
  assert.deepEqual(await chosen("[ipset, nftables, iptables]"), ["ipset", "nftables", "iptables"]);
  const environment = { FLEETBAN_FIREWALL: "iptables, ipset" };
  assert.deepEqual(await chosen("dry-run", environment), ["iptables", "ipset"]);
  const fault = (text: string) => [`FILE: firewall.backend: ${text}`];
  assert.deepEqual(await chosen("[ipset, ipset]"), fault("expected every name once"));
  assert.deepEqual(await chosen("[]"), fault("expected at least one name, got none"));
  assert.deepEqual(await chosen("7"), fault("expected a name or a list of names, got 7"));
  const alone = "expected dry-run alone: no host is to end up without bans unnoticed";
  assert.deepEqual(await chosen("[ipset, dry-run]"), fault(alone));
});

test("a file that is not there, or no YAML, or no options is said to be so", async () => {
  await assert.rejects(load("/nowhere/agent.yaml"), {
    message: "/nowhere/agent.yaml: cannot be read: no such file",
  });
  const { faults } = await read("host: mx1\nnats: { url: [\n");
  assert.match(faults[0] ?? "", /^FILE:3:\d+: /);
  assert.deepEqual((await read("- host")).faults, ['FILE: expected options by name, got ["host"]']);
  assert.deepEqual((await read("host")).faults, ['FILE: expected options by name, got "host"']);
  assert.equal((await read("host: a\nhost: b\n")).faults.length, 1);
});

test("addresses are taken in any spelling, and kept in one", async () => {
  const { config } = await read('ignoreip: ["::ffff:192.0.2.7", 192.0.2.9/24, "2001:DB8::/32"]');
  assert.deepEqual(config?.ignoreip, ["192.0.2.7", "192.0.2.0/24", "2001:db8::/32"]);
});

test("fallbackAfter is a duration that the leader's signs of life allow, or never", async () => {
  assert.equal((await read("fallbackAfter: never")).config?.fallbackAfter, "never");
  assert.equal((await read("fallbackAfter: 1m")).config?.fallbackAfter, 60);
  for (const given of ["2s", "soon"]) {
    const [fault = ""] = (await read(`fallbackAfter: ${given}`)).faults;
    assert.match(fault, /fallbackAfter: expected at least 5s, or never, got /);
  }
});
