/** `fleetban key` and a real nats-server that goes by what it makes. */
import assert from "node:assert/strict";
import {
  appendFile,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { AckPolicy, DeliverPolicy, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { run } from "../../services/agent/enforce/firewall/command.ts";
import { ensureStreams } from "../../services/coordinator/upkeep/ensure-streams.ts";
import { eventually } from "../harness/eventually.ts";
import { failedLogin } from "../harness/failed-login.ts";
import { fleetban } from "../harness/fleetban.ts";
import { startSecuredFleet } from "../harness/secured-fleet.ts";
import { cliOf, startSecuredAgent, startSecuredCoordinator } from "../harness/secured-programs.ts";

test("all of a fleet's keys are readable by their owner only, and none is overwritten", async () => {
  await using fleet = await startSecuredFleet();
  const { folder, key } = fleet;
  await fleet.credentials("agent", "mx1");
  for (const entry of await readdir(folder, { recursive: true })) {
    if (/\.(?:data|accounts)/.test(entry)) continue; // the running server's own
    const { mode } = await stat(join(folder, entry));
    assert.equal(mode & 0o077, 0, entry);
  }
  for (const args of [["init"], ["agent", "mx1"], ["server", "n1", "--address", "127.0.0.1"]]) {
    const { stderr } = await key(args, 1);
    assert.match(stderr, /^fleetban: [^\n]+ (?:is there already; --renew|holds the keys)[^\n]*\n$/);
  }
  await key(["agent", "mx1", "--renew"]);
  const list = JSON.parse((await key(["list", "--json"])).stdout) as { keys: { name: string }[] };
  assert.deepEqual(
    list.keys.map(({ name }) => name),
    ["n1", "mx1", "mx1"],
  );
});

test("a folder without keys, or open to others, is refused with what to do", async () => {
  const none = await fleetban(["key", "agent", "mx1", "--dir", "/nonexistent"]);
  assert.match(none.stderr, /^fleetban: \/nonexistent: holds no keys .*: fleetban key init/);
  assert.equal(none.code, 78);
  const open = await fleetban(["key", "revoke", "mx1", "--dir", "/nonexistent"]);
  assert.equal(open.code, 78);
});

test("revoking takes effect at once: a live connection ends and does not come back", async () => {
  await using fleet = await startSecuredFleet();
  const mx1 = await fleet.connect(await fleet.credentials("agent", "mx1"));
  const mx2 = await fleet.connect(await fleet.credentials("agent", "mx2"));
  const file = join(fleet.folder, "agents/mx1.creds");
  const kept = join(fleet.folder, "kept.creds");
  await copyFile(file, kept);
  const config = join(fleet.folder, "servers/n1.conf");
  await copyFile(config, `${config}.before`);

  const { stdout } = await fleet.key(["revoke", "mx1"]);
  assert.equal(stdout, "agent mx1 is revoked on n1\n");
  await eventually("its connection is closed", () => mx1.isClosed());
  await assert.rejects(fleet.connect(kept), /authorization violation/i);
  assert.equal(mx2.isClosed(), false);
  await mx2.flush();

  // Neither the server's restart nor the configuration from before brings it back.
  await fleet.server.stop();
  await copyFile(`${config}.before`, config);
  await fleet.server.start();
  await assert.rejects(fleet.connect(kept), /authorization violation/i);
  // The name may be given anew.
  const again = await fleet.connect(await fleet.credentials("agent", "mx1"));
  await again.flush();
});

test("what is revoked stays revoked when NATS loses its whole store", async () => {
  await using fleet = await startSecuredFleet();
  const mx1 = await fleet.credentials("agent", "mx1");
  const mx2 = await fleet.credentials("agent", "mx2");
  const kept = join(fleet.folder, "kept.creds");
  await copyFile(mx1, kept);
  const config = join(fleet.folder, "servers/n1.conf");
  await copyFile(config, `${config}.installed`);
  const { stderr } = await fleet.key(["revoke", "mx1"]);
  assert.doesNotMatch(stderr, /store/);

  await fleet.server.stop();
  await rm(join(fleet.folder, "servers/n1.data"), { recursive: true });
  await copyFile(`${config}.installed`, config); // Nobody has brought the new one to the server.
  await fleet.server.start();
  await assert.rejects(fleet.connect(kept), /authorization violation/i);
  await (await fleet.connect(mx2)).flush();

  // A server that an earlier version has made keeps them in its store, and is told how to end that.
  const options = join(fleet.folder, "servers/n1.json");
  const { accounts, ...earlier } = JSON.parse(await readFile(options, "utf8")) as {
    accounts: string;
  };
  await writeFile(options, JSON.stringify(earlier));
  const push = await fleet.key(["push"]);
  const [, remedy = ""] =
    /^fleetban (key server n1 --renew --accounts \S+) --dir /m.exec(push.stderr) ?? [];
  await fleet.key(["server", "n1", "--renew"]);
  const read = () => readFile(join(fleet.folder, "servers/n1.conf"), "utf8");
  assert.match(await read(), /dir: "\S+\/n1\.data\/accounts"/);
  assert.match(remedy, new RegExp(`${accounts}$`));
  await fleet.key(remedy.split(" ").slice(1));
  assert.match(await read(), /dir: "\S+\/n1\.accounts"/);
  assert.equal((await fleet.key(["push"])).stderr, "");
});

test("a revocation that reaches no server is no success, and is pushed later", async () => {
  await using fleet = await startSecuredFleet();
  const mx1 = await fleet.credentials("agent", "mx1");
  const kept = join(fleet.folder, "kept.creds");
  await copyFile(mx1, kept);
  await fleet.server.stop();
  const { stderr } = await fleet.key(["revoke", "mx1"], 69);
  assert.match(stderr, /NOT IN FORCE; .*fleetban key push --dir /);
  await fleet.server.start();
  const { stdout } = await fleet.key(["push"]);
  assert.equal(stdout, "the fleet's accounts are up to date on n1\n");
  await assert.rejects(fleet.connect(kept), /authorization violation/i);
});

test("rotation leaves no gap: new and old credentials are valid until the old ones alone are revoked", async () => {
  await using fleet = await startSecuredFleet();
  const file = await fleet.credentials("agent", "mx1");
  const kept = join(fleet.folder, "kept.creds");
  await copyFile(file, kept);
  const only = await fleet.key(["revoke", "mx1", "--old"], 1);
  assert.match(only.stderr, /^fleetban: agent mx1: has one set .* fleetban key agent mx1 --renew/);

  const { stderr } = await fleet.key(["agent", "mx1", "--renew"]);
  assert.match(stderr, /fleetban key revoke mx1 --old --dir /);
  const [old, renewed] = [await fleet.connect(kept), await fleet.connect(file)];
  await Promise.all([old.flush(), renewed.flush()]);

  const { stdout } = await fleet.key(["revoke", "mx1", "--old"]);
  assert.match(
    stdout,
    /^agent mx1: older credentials are revoked on n1; those made at .* stay valid\n$/,
  );
  await eventually("the old connection is closed", () => old.isClosed());
  await assert.rejects(fleet.connect(kept), /authorization violation/i);
  await renewed.flush();
  assert.equal(renewed.isClosed(), false);
  await (await fleet.connect(file)).flush();
  const list = JSON.parse((await fleet.key(["list", "--json"])).stdout) as {
    keys: { role: string; state: string }[];
  };
  const states = list.keys.filter(({ role }) => role === "agent").map(({ state }) => state);
  assert.deepEqual(states, ["revoked", "valid"]);

  // Again, with credentials that are revoked among those from before.
  await fleet.key(["agent", "mx1", "--renew"]);
  await fleet.key(["revoke", "mx1", "--old"]);
  await eventually("the second is closed, too", () => renewed.isClosed());
  await (await fleet.connect(file)).flush();
});

test("an agent whose credentials are rotated needs no restart and loses no failure", async () => {
  await using fleet = await startSecuredFleet();
  const creds = join(fleet.folder, "..", "agent.creds");
  const made = await fleet.credentials("agent", "mx1");
  await copyFile(made, creds);
  const centre = await fleet.credentials("coordinator", "c1");
  await using coordinator = await startSecuredCoordinator(fleet, "c1", { creds: centre });
  await mkdir(join(fleet.folder, "..", "agent-mx1"), { recursive: true });
  await using agent = await startSecuredAgent(fleet, "mx1", { creds });
  const cli = cliOf(fleet, await fleet.credentials("operator", "alice"));
  const log = join(agent.folder, "mail.log");
  const isBanned = async (address: string) => (await cli("ban", "list")).stdout.includes(address);
  const fail = (address: string, count: number) =>
    appendFile(log, Array.from({ length: count }, () => failedLogin({ address })).join(""));

  await fail("198.51.100.7", 4);
  await eventually("the agent is at work", () => agent.log().includes("agent is at work"), 30);
  await fleet.key(["agent", "mx1", "--renew"]);
  await copyFile(made, creds);
  await fleet.key(["revoke", "mx1", "--old"]);
  await fail("198.51.100.7", 1);
  await eventually("all five failures have counted", () => isBanned("198.51.100.7"), 20);
  await eventually("the agent's old credentials are cut off", () =>
    agent.log().includes("NATS is back"),
  );
  assert.doesNotMatch(coordinator.log(), /NATS is away/);
});

test("a server's files fit the nats-server of Debian's package, unless options differ", async () => {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-key-server-"));
  const key = (...args: string[]) => fleetban(["key", ...args, "--dir", folder]);
  const read = (file: string) => readFile(join(folder, "servers", file), "utf8");
  try {
    await key("init");
    const { stderr } = await key("server", "n1", "--address", "nats.example.org");
    assert.match(
      stderr,
      /n1\.conf, n1\.crt, n1\.key, ca\.pem go to \/etc\/fleetban-nats, owner root/,
    );
    const config = await read("n1.conf");
    assert.match(config, /cert_file: "\/etc\/fleetban-nats\/n1\.crt"/);
    assert.match(config, /store_dir: "\/var\/lib\/fleetban-nats\/jetstream" \}/);
    assert.match(config, /dir: "\/etc\/fleetban-nats\/n1\.accounts"/);
    assert.doesNotMatch(config, new RegExp(folder));
    const unit = await read("n1.unit.conf");
    assert.match(unit, /^ExecStart=\/usr\/sbin\/nats-server -c "\/etc\/fleetban-nats\/n1\.conf"$/m);

    const paths = ["--files", join(folder, "servers"), "--store", join(folder, "100% store")];
    await key("server", "n2", "--address", "127.0.0.1", ...paths, "--max-file-store", "1500mb");
    assert.match(await read("n2.conf"), /store\/jetstream", max_file_store: 1500MB \}/);
    assert.match(
      await read("n2.unit.conf"),
      /^ReadWritePaths="-.*100%% store" "-.*n2\.accounts"$/m,
    );
    await run("nats-server", ["-t", "-c", join(folder, "servers/n2.conf")]);
    // What was said once holds for the next time.
    await key("server", "n2", "--renew", "--address", "127.0.0.2");
    assert.match(await read("n2.conf"), /max_file_store: 1500MB/);
    const wrong = await key("server", "n3", "--address", "127.0.0.1", "--max-file-store", "much");
    assert.equal(wrong.code, 64);
    assert.match(wrong.stderr, /"much": expected a size such as 2GB/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a client that floods NATS reaches the account's limits, and its server goes on", async () => {
  await using fleet = await startSecuredFleet();
  const centre = await fleet.connect(await fleet.credentials("coordinator", "c1"));
  await ensureStreams(centre, { longestFindtime: 1200, replicas: 1, failuresMaxBytes: 2 ** 26 });
  const rooted = await fleet.credentials("agent", "mx1");
  const other = await fleet.credentials("agent", "mx2");
  // Keys that an earlier version has made have no limits: the next key server sets them.
  await fleet.key(["server", "n1", "--renew", "--max-hosts", "1"]);
  await fleet.key(["push"]);

  const connection = await fleet.connect(rooted);
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const settings = { ack_policy: AckPolicy.None, deliver_policy: DeliverPolicy.New };
  let consumers = 0;
  const flood = async () => {
    for (; consumers < 1_000; consumers += 1) {
      const deliver_subject = `_INBOX.agent.mx1.${consumers}`;
      await manager.consumers.add("KV_fleetban_bans", {
        ...settings,
        name: `c${consumers}`,
        deliver_subject,
      });
    }
  };
  await assert.rejects(flood(), /maximum consumers limit reached/);
  assert.ok(consumers > 0 && consumers <= 260, String(consumers));

  const connections: NatsConnection[] = [];
  const crowd = async () => {
    while (connections.length < 200) connections.push(await fleet.connect(rooted));
  };
  await assert.rejects(crowd(), /maximum account active connections exceeded/i);
  assert.ok(connections.length <= 66, String(connections.length));
  // Its revocation frees all of it, and the others come in again.
  await fleet.key(["revoke", "mx1"]);
  await eventually("mx2 comes in", async () => {
    const connected = await fleet.connect(other).catch(() => undefined);
    return connected !== undefined;
  });
});
