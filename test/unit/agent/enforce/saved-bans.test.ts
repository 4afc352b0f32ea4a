import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { HostBan } from "../../../../services/agent/enforce/ban-filter.ts";
import { createSavedBans, readSavedBans } from "../../../../services/agent/enforce/saved-bans.ts";
import { network } from "../../../harness/firewall-suite.ts";

const health = { failed: assert.ifError, written: () => {} };

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-last-bans-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

const ban = (address: string, until: number | null, by = "decider"): HostBan => ({
  ...{ jail: "dovecot", address: network(address), state: "active", until, by },
});

test("bans come back as they were: networks, IPv6, for ever, and an operator's", async (t) => {
  const folder = await folderOf(t);
  const bans = [
    ban("198.51.100.7", 1_800_000_000_000),
    ban("2001:db8::/48", null),
    ban("203.0.113.0/24", null, "operator root@mx1"),
  ];
  const savedBans = createSavedBans({ folder, bans: () => bans, health });
  savedBans.touch();
  await savedBans.close();
  assert.deepEqual(await readSavedBans(folder), [bans[0], bans[1], { ...bans[2], by: "operator" }]);
  assert.deepEqual(await readdir(folder), ["bans"]);
});

test("what was known stays while nothing is known for certain, or nothing has changed", async (t) => {
  const folder = await folderOf(t);
  await writeFile(join(folder, "bans"), "dovecot 198.51.100.7 ever decider\n");
  const uncertain = createSavedBans({ folder, bans: () => undefined, health });
  uncertain.touch();
  await uncertain.close();
  await createSavedBans({ folder, bans: () => [], health }).close();
  assert.deepEqual(await readSavedBans(folder), [ban("198.51.100.7", null)]);
});

test("many bans are written whole", async (t) => {
  const folder = await folderOf(t);
  const bans = Array.from({ length: 5_001 }, (_, index) =>
    ban(`10.0.${index >> 8}.${index & 255}`, 1_800_000_000_000),
  );
  const savedBans = createSavedBans({ folder, bans: () => bans, health });
  savedBans.touch();
  await savedBans.close();
  assert.deepEqual(await readSavedBans(folder), bans);
});

test("no file is no ban, and a line that is none is passed over", async (t) => {
  const folder = await folderOf(t);
  assert.deepEqual(await readSavedBans(folder), []);
  const lines = [
    ...["", "dovecot", "dovecot 198.51.100.007 ever decider", "a/b 198.51.100.7 ever decider"],
    ...["dovecot 198.51.100.7 -1 decider", "dovecot 198.51.100.7 ever decider more"],
    "dovecot 198.51.100.8 ever decider",
    "dovecot 198.51.100.9 ev", // cut off
  ];
  await writeFile(join(folder, "bans"), lines.join("\n"));
  assert.deepEqual(await readSavedBans(folder), [ban("198.51.100.8", null)]);
});

test("a folder that is gone ends nothing, and is reported", async () => {
  const failed: unknown[] = [];
  const savedBans = createSavedBans({
    ...{ folder: "/nonexistent", bans: () => [] },
    health: { ...health, failed: (error) => void failed.push(error) },
  });
  savedBans.touch();
  await savedBans.close();
  assert.equal(failed.length, 1);
  await assert.rejects(readFile("/nonexistent/bans"));
});
