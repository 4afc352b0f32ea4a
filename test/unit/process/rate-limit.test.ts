import assert from "node:assert/strict";
import { test } from "node:test";
import { createRateLimit } from "../../../services/process/rate-limit.ts";

test("something is said once in so long, each kind for itself", () => {
  let now = 0;
  const maySay = createRateLimit(60, () => now);
  assert.deepEqual(["a", "a", "b"].map(maySay), [true, false, true]);
  now = 59;
  assert.equal(maySay("a"), false);
  now = 60;
  assert.equal(maySay("a"), true);
  now = 119;
  assert.deepEqual(["a", "b"].map(maySay), [false, true]);
});
