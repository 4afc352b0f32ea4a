import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openUserNames } from "../../../../services/agent/report/user-names.ts";

const folder = await mkdtemp(join(tmpdir(), "fleetban-users-"));
after(() => rm(folder, { recursive: true, force: true }));

async function keyFile(name: string, key: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `${key}\n`);
  return path;
}

test("names are stored as they are, or not at all", async () => {
  const [store, drop] = [
    await openUserNames({ users: "store" }),
    await openUserNames({ users: "drop" }),
  ];
  assert.deepEqual([store("bob"), store(""), store(undefined)], ["bob", "", undefined]);
  assert.deepEqual([drop("bob"), drop(undefined)], [undefined, undefined]);
});

test("one key gives one hash for a name on every host, another key another", async () => {
  const [one, two] = [await keyFile("one", "k".repeat(32)), await keyFile("two", "l".repeat(32))];
  const here = await openUserNames({ users: "hash", usersKey: one });
  const there = await openUserNames({ users: "hash", usersKey: one });
  const elsewhere = await openUserNames({ users: "hash", usersKey: two });
  assert.equal(here("bob"), there("bob"));
  assert.match(here("bob") ?? "", /^hash:[0-9a-f]{24}$/);
  assert.equal(new Set([here("bob"), here("ann"), elsewhere("bob")]).size, 3);
  assert.equal(here(undefined), undefined);
});

test("no key, or one that can be guessed, is a fault of the configuration", async () => {
  const short = await keyFile("short", "secret");
  const nowhere = join(folder, "nowhere");
  await assert.rejects(openUserNames({ users: "hash", usersKey: short }), {
    exitCode: 78,
    message: `usersKey ${short}: expected at least 16 characters, got 6`,
  });
  await assert.rejects(openUserNames({ users: "hash", usersKey: nowhere }), {
    exitCode: 78,
    message: `usersKey ${nowhere}: cannot be read: ENOENT`,
  });
});
