import assert from "node:assert/strict";
import { test } from "node:test";
import { CAPTURES, measureAccuracy } from "../../harness/captures.ts";
import { measureOwnCaptures } from "../../harness/own-captures.ts";

test(
  "every attempt of the captured runs of a real Dovecot is counted once, and for its address",
  { skip: CAPTURES === undefined && "needs the captures of real Dovecot runs" },
  () => {
    for (const { file, misses, strangers } of measureAccuracy(CAPTURES!, { withPeer: false })) {
      assert.deepEqual(misses, []);
      assert.equal(strangers, 0, file);
    }
  },
);

for (const order of ["in time", "one after another"] as const) {
  test(`every attempt at the Dovecots of test/corpus/captures is counted once, logs read ${order}`, () => {
    const all = measureOwnCaptures(order, { withPeer: false });
    assert.ok(all.length > 20);
    for (const { file, misses, strangers } of all) {
      assert.deepEqual(misses, []);
      assert.equal(strangers, 0, file);
    }
  });
}
