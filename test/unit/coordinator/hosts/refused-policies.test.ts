import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as everythingDone } from "node:timers/promises";
import { createRefusedPolicies } from "../../../../services/coordinator/hosts/refused-policies.ts";
import { createLog } from "../../../../services/process/log.ts";
import { decodeSetting } from "../../../../services/wire/settings.ts";

const MINUTE_MS = 60_000;

/** Two coordinators with one bucket. */
function setUp() {
  const clock = { now: Date.UTC(2026, 10, 24) };
  const nats = { isAway: false };
  const keys = new Set<string>();
  const both = ["c1", "c2"].map((id) =>
    createRefusedPolicies({
      ...{ id, now: () => clock.now, log: createLog("refused-policies.test", "silent") },
      settings: () => ({
        write(key, value) {
          if (nats.isAway) return Promise.reject(new Error("no responders"));
          keys.add(key);
          for (const each of both) each.noteSetting(key, decodeSetting(value, key));
          return Promise.resolve();
        },
        erase(key) {
          if (nats.isAway) return Promise.reject(new Error("no responders"));
          keys.delete(key);
          for (const each of both) each.noteSetting(key, undefined);
          return Promise.resolve();
        },
      }),
    }),
  );
  const [first, second] = both;
  const seenBy = () => both.map((each) => each.warnings().map(({ subject }) => subject));
  return { first: first!, second: second!, clock, nats, keys, seenBy };
}

test("both coordinators name the one that has refused its file, until it has accepted one", async () => {
  const { first, second, keys, seenBy } = setUp();
  second.noteOwn(["jails.dovecot.maxretry: expected at least 1, got 0", "and another"]);
  assert.deepEqual(seenBy(), [["c2"], ["c2"]]);
  const [warning] = first.warnings();
  assert.match(warning!.text, /^coordinator c2 has refused its changed coordinator.yaml/);
  assert.match(warning!.text, /expected at least 1, got 0 \(and 1 more\)$/);
  first.noteOwn(["no such option"]);
  assert.deepEqual(seenBy(), [
    ["c1", "c2"],
    ["c2", "c1"],
  ]);
  second.noteOwn([]);
  await first.withdraw();
  assert.deepEqual([seenBy(), keys.size], [[[], []], 0]);
});

test("what NATS did not take is written a minute later", async () => {
  const { second, nats, seenBy } = setUp();
  nats.isAway = true;
  second.noteOwn(["no such option"]);
  await everythingDone();
  assert.deepEqual(seenBy(), [[], ["c2"]]);
  nats.isAway = false;
  await second.publish();
  assert.deepEqual(seenBy(), [["c2"], ["c2"]]);
});

test("a coordinator that was killed is named for ten minutes, one that lives for as long as needed", async () => {
  const { first, second, clock, keys, seenBy } = setUp();
  second.noteOwn(["no such option"]);
  for (let minute = 0; minute < 20; minute += 1) {
    clock.now += MINUTE_MS;
    await second.publish();
  }
  assert.deepEqual(seenBy(), [["c2"], ["c2"]]);
  clock.now += 10 * MINUTE_MS;
  assert.deepEqual(seenBy(), [[], ["c2"]]);
  await first.publish();
  assert.equal(keys.size, 0);
});
