import assert from "node:assert/strict";
import { test } from "node:test";
import { CAPTURE_SETS, captureFolder, measureAccuracy } from "../../harness/captures.ts";
import { measureOwnCaptures } from "../../harness/own-captures.ts";

for (const set of CAPTURE_SETS) {
  const folder = captureFolder(set);
  test(
    `every attempt of the captured runs in ../shared/${set} is counted once, and for its address`,
    { skip: folder === undefined && `needs ../shared/${set}` },
    () => {
      for (const { file, misses, strangers } of measureAccuracy(folder!, { withPeer: false })) {
        assert.deepEqual(misses, []);
        assert.equal(strangers, 0, file);
      }
    },
  );
}

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
