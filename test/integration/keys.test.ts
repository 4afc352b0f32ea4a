/** `fleetban key` and a real nats-server that goes by what it makes. */
import assert from "node:assert/strict";
import { copyFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "../harness/eventually.ts";
import { runBuiltFleetban } from "../harness/fleetban.ts";
import { startSecuredFleet } from "../harness/secured-fleet.ts";

test("all of a fleet's keys are readable by their owner only, and none is overwritten", async () => {
  await using fleet = await startSecuredFleet();
  const { folder, key } = fleet;
  await fleet.credentials("agent", "mx1");
  for (const entry of await readdir(folder, { recursive: true })) {
    if (entry.includes(".data")) continue; // the running server's own
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
  const none = await runBuiltFleetban(["key", "agent", "mx1", "--dir", "/nonexistent"]);
  assert.match(none.stderr, /^fleetban: \/nonexistent: holds no keys .*: fleetban key init/);
  assert.equal(none.code, 78);
  const open = await runBuiltFleetban(["key", "revoke", "mx1", "--dir", "/nonexistent"]);
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
