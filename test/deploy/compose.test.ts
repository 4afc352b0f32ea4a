/** The compose files of deploy/compose in a real Docker engine, with the very commands of their README. */
import assert from "node:assert/strict";
import { chownSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import * as z from "zod";
import { starting } from "../../services/process/release.ts";
import { ensureArtifacts } from "../harness/artifacts.ts";
import { needsDocker, startDockerEngine, type DockerEngine } from "../harness/docker-engine.ts";
import { eventually } from "../harness/eventually.ts";
import { createNetwork, type Namespace } from "../harness/netns.ts";

const SOURCE = resolve(import.meta.dirname, "../../deploy/compose");
/** On the engine's machine. */
const CHECKOUT = "/srv/fleetban";
const COMPOSE = `${CHECKOUT}/deploy/compose`;
const ADMIN = 1000;
const AGENT = "FLEETBAN_HOST=mx1 NATS_URL=tls://nats.example.net:4222 docker compose -f agent.yaml";
const ATTACKER = "198.51.100.7";
/** Where the mail host stands: its clock has no daylight saving, and no other zone's minutes. */
const ZONE = { name: "Asia/Kathmandu", aheadMs: 20_700_000 };

/** As syslog stamps a line there, without the zone: "Nov 29 20:38:31". */
function stampOf(now: number): string {
  const [, day = "", month = "", , time = ""] = new Date(now + ZONE.aheadMs)
    .toUTCString()
    .split(" ");
  return `${month} ${day.replace(/^0/, " ")} ${time}`;
}

/** The commands below a heading of the README, as they stand there. */
function commandsBelow(heading: string): string {
  const readme = readFileSync(join(SOURCE, "README.md"), "utf8");
  const [, section = ""] = readme.split(`\n## ${heading}\n`);
  const [text = ""] = section.split("\n## ");
  const blocks = text.split(/\n(?! {4}|\n)/).map((block) => block.match(/^ {4}.*$/gm) ?? []);
  return (blocks.find((lines) => lines.length > 0) ?? []).map((line) => line.trim()).join("\n");
}

const service = z.object({ Service: z.string(), Health: z.string(), State: z.string() });

describe("the compose files in a Docker engine", { skip: needsDocker }, () => {
  let engine: DockerEngine;
  let namespace: Namespace;
  let release: () => Promise<void>;

  before(async () => {
    const say = (line: string) => void process.stderr.write(`${line}\n`);
    const artifacts = ensureArtifacts();
    [engine, release] = await starting(async (onRelease) => {
      const folder = mkdtempSync(join(tmpdir(), "fleetban-docker-"));
      onRelease(() => rm(folder, { recursive: true, force: true }));
      const network = await createNetwork(["docker"]);
      onRelease(() => network[Symbol.asyncDispose]());
      namespace = network.host("docker");
      placeCheckout(join(folder, "upper"), artifacts.folder);
      const started = await startDockerEngine({ namespace, folder, say });
      onRelease(() => started[Symbol.asyncDispose]());
      return started;
    });
    const hosts = `127.0.0.1 localhost\n${namespace.address4} nats.example.net\n`;
    await engine.run("tee", ["/etc/hosts"], hosts);
    await engine.run("ln", ["-sf", `/usr/share/zoneinfo/${ZONE.name}`, "/etc/localtime"]);
    await engine.run("useradd", ["--create-home", "--uid", String(ADMIN), "admin"]);
    await engine.run("usermod", ["--append", "--groups", "docker", "admin"]);
  });
  after(() => release());

  const PATH = `PATH=${CHECKOUT}/dist:/usr/sbin:/usr/bin:/sbin:/bin`;
  const inCompose = (script: string) => ["sh", "-euc", `cd ${COMPOSE}\n${script}`];
  const asAdmin = (script: string) =>
    engine.run("setpriv", [
      ...["--reuid=admin", "--regid=admin", "--init-groups"],
      ...["env", "HOME=/home/admin", PATH, ...inCompose(script)],
    ]);
  const asRoot = (script: string) => engine.run("env", [PATH, ...inCompose(script)]);
  const fleetban = (words: string) => asAdmin(`FLEETBAN_HOME=${COMPOSE} fleetban ${words}`);
  const services = async () => {
    const lines = await asAdmin("docker compose ps --all --format json");
    return lines.split("\n").flatMap((line) => (line ? [service.parse(JSON.parse(line))] : []));
  };
  const untilHealthy = (count: number) =>
    eventually(
      `${count} services are healthy`,
      async () => {
        const all = await services();
        const ill = all.filter(({ Health }) => Health !== "healthy");
        if (ill.length === 0 && all.length === count) return true;
        const logs = await Promise.all(
          ill.map(({ Service }) => asAdmin(`docker compose logs --no-color --tail 5 ${Service}`)),
        );
        throw new Error(`${all.length} services; ${JSON.stringify(ill)}\n${logs.join("\n")}`);
      },
      180,
    );

  /** What Dovecot writes of five wrong passwords. */
  async function attack(from: string): Promise<void> {
    const lines = [1, 2, 3, 4, 5].map(
      (number) =>
        `${stampOf(Date.now())} mx1 dovecot: imap-login: Disconnected (auth failed, 1 attempts in 2 secs): user=<info>, method=PLAIN, rip=${from}, lip=192.0.2.1, session=<${from}-${number}>\n`,
    );
    await engine.run("tee", ["--append", "/var/log/mail.log"], lines.join(""));
    await eventually(`${from} is banned`, async () => (await members()).includes(from), 30);
  }
  const members = () => namespace.run("ipset", ["list", "fleetban-dovecot-4"]);

  test("the commands of the README make a centre, and all of it is healthy", async () => {
    await asAdmin(commandsBelow("A centre"));
    await untilHealthy(5);
    await asAdmin(`cat > client.yaml <<end
nats:
  url: tls://nats.example.net:4222
  creds: ${COMPOSE}/fleetban-keys/operators/alice.creds
  ca: ${COMPOSE}/fleetban-keys/ca.pem
end`);
    assert.match(await fleetban("status"), /PostgreSQL +reachable/);
  });

  test("the commands of the README make an agent, which bans on the host itself", async () => {
    await asAdmin("fleetban key agent mx1");
    await asRoot(`mkdir -p /etc/fleetban
install -m 600 fleetban-keys/agents/mx1.creds /etc/fleetban/agent.creds
install -m 644 fleetban-keys/ca.pem /etc/fleetban/ca.pem
install -m 640 -g adm /dev/null /var/log/mail.log`);
    const checked = await asRoot(commandsBelow("An agent"));
    assert.match(checked, /^ok +NATS/m);
    await eventually(
      "the fleet has it",
      async () => {
        const hosts = await fleetban("host list");
        if (/^mx1 +up /m.test(hosts)) return true;
        throw new Error(
          `${hosts}\n${await asRoot("docker logs --tail 20 fleetban-agent-agent-1 2>&1")}`,
        );
      },
      30,
    );
    await attack(ATTACKER);
  });

  test("lines in the host's time zone are taken for what they are, and not corrected", async () => {
    const hosts = await fleetban("host list");
    assert.match(hosts, /^mx1 +up /m);
    assert.doesNotMatch(hosts, /corrected:/);
    const log = await asRoot(`${AGENT} logs agent`);
    assert.doesNotMatch(log, /of another time zone/);
  });

  test("the host's time zone is not mounted under the name of another one", async () => {
    const image =
      "docker run --rm --entrypoint sh -v /usr/share/zoneinfo/America/New_York:/etc/localtime:ro";
    const command = `${image} fleetban-agent -c 'stat -c %F /etc/localtime; date -d @1767225600 +%Z'`;
    assert.equal(await asRoot(command), "regular file\nEST\n");
  });

  test("a NATS server is stopped, the fleet goes on", async () => {
    await asAdmin("docker compose stop n2");
    await attack("198.51.100.8");
    await asAdmin("docker compose start n2");
    await untilHealthy(5);
  });

  test("without its container the bans are still there, until they are removed", async () => {
    await asRoot(`${AGENT} down`);
    assert.match(await members(), new RegExp(ATTACKER.replaceAll(".", "\\.")));
    await asRoot(`${AGENT} run --rm agent uninstall`);
    assert.equal(await namespace.run("ipset", ["list", "-name"]), "");
    assert.doesNotMatch(await namespace.run("iptables-save", []), /fleetban/);
  });
});

/** What of a checkout the images are made of. */
function placeCheckout(upper: string, dist: string): void {
  const checkout = join(upper, CHECKOUT);
  for (const path of ["srv", "srv/fleetban", "srv/fleetban/dist", "srv/fleetban/deploy"]) {
    mkdirSync(join(upper, path), { recursive: true, mode: 0o755 });
  }
  cpSync(SOURCE, join(checkout, "deploy/compose"), { recursive: true });
  for (const name of readdirSync(dist)) {
    if (name === "fleetban" || name.endsWith(".deb")) {
      cpSync(join(dist, name), join(checkout, "dist", name));
    }
  }
  chownSync(join(checkout, "deploy/compose"), ADMIN, ADMIN);
}
