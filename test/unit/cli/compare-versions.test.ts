import assert from "node:assert/strict";
import { test } from "node:test";
import { compareVersions } from "../../../services/cli/compare-versions.ts";

test("versions are compared by their numbers, and what comes before a release is older", () => {
  const ascending = [
    "0.1.0~git20261125.aa",
    "0.1.0~git20261126.00",
    "0.1.0",
    "0.2.0",
    "0.10.0",
    "1.0",
  ];
  const shuffled = [...ascending].reverse();
  assert.deepEqual(shuffled.sort(compareVersions), ascending);
  assert.equal(compareVersions("1.0", "1.0.0"), 0);
});
