import assert from "node:assert/strict";
import { test } from "node:test";
import { CAPTURES, measureAccuracy } from "../../harness/captures.ts";

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
