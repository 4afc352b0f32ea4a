/** Whether the leader's signs of life show that it decides. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createLeaderWatch } from "../../../../services/coordinator/decide/leader-watch.ts";

function setUp() {
  const at = { now: 0, holder: "c1" as string | null };
  const watch = createLeaderWatch({ holder: () => at.holder, now: () => at.now });
  const sign = (id: string, failures: number | null) => {
    at.now += 2_000;
    const said = { v: 1, id, failures, bans: 1, bansCreated: "b1" } as const;
    watch.noteSetting({ type: "leader", sign: said });
  };
  const isLate = () => watch.warnings().length > 0;
  return { at, watch, sign, isLate };
}

test("a leader that has not decided about all failures for 30 s is late, until it has", () => {
  const { watch, sign, isLate } = setUp();
  sign("c1", 7);
  for (let n = 0; n < 14; n += 1) sign("c1", null);
  assert.equal(isLate(), false);
  sign("c1", null);
  assert.match(watch.warnings()[0]?.text ?? "", /^coordinator c1 holds the lease/);
  sign("c1", 8);
  assert.equal(isLate(), false);
});

test("a leader that gives no signs is late; who takes over gets its time", () => {
  const { at, sign, isLate } = setUp();
  sign("c1", 7);
  at.now += 30_000;
  assert.equal(isLate(), true);
  sign("c2", null);
  assert.equal(isLate(), false);
});

test("where nobody leads, that is said elsewhere", () => {
  const { at, isLate } = setUp();
  at.holder = null;
  at.now += 60_000;
  assert.equal(isLate(), false);
});
