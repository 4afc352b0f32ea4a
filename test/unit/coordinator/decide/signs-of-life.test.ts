import assert from "node:assert/strict";
import { test } from "node:test";
import { createSignsOfLife } from "../../../../services/coordinator/decide/signs-of-life.ts";
import { createLog } from "../../../../services/process/log.ts";
import { decodeSetting, type Setting } from "../../../../services/wire/settings.ts";

const BUCKET = "2026-01-01T00:00:00Z";

function setUp() {
  const world = { isLeader: true, due: 0, takenUpTo: 7 as number | undefined };
  const written: Setting[] = [];
  const give = createSignsOfLife({
    ...{ id: "c1", isLeader: () => world.isLeader, log: createLog("test", "silent") },
    settings: {
      write(key, value) {
        written.push(decodeSetting(value, key));
        return Promise.resolve();
      },
    },
    bans: { revision: () => 12, created: () => BUCKET },
    feed: { takenUpTo: () => world.takenUpTo },
    counters: { due: () => world.due },
  });
  /** How far the last sign says that failures are decided. */
  const decided = async () => {
    await give();
    const last = written.at(-1);
    return last?.type === "leader" ? last.sign.failures : "no sign";
  };
  return { world, give, written, decided };
}

test("the leader's sign says what is decided, and which bans that has brought", async () => {
  const { give, written } = setUp();
  await give();
  const sign = { v: 1, id: "c1", failures: 7, bans: 12, bansCreated: BUCKET };
  assert.deepEqual(written, [{ type: "leader", sign }]);
});

test("while a ban is due, or failures are still read, nothing is said to be decided", async () => {
  const { world, decided } = setUp();
  world.due = 1;
  assert.equal(await decided(), null);
  world.due = 0;
  world.takenUpTo = undefined;
  assert.equal(await decided(), null);
});

test("a standby gives no sign", async () => {
  const { world, give, written } = setUp();
  world.isLeader = false;
  await give();
  assert.deepEqual(written, []);
});
