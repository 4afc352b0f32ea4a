import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { thresholdOf } from "../../../../services/coordinator/history/top-bound.ts";

test("a name below the threshold in every cell has too few attempts, and one at it may have enough", () => {
  const sizes = fc.array(fc.nat(1_000), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20_000 }), sizes, (least, cells) => {
      const most = (each: number) => cells.reduce((sum, size) => sum + Math.min(each, size), 0);
      const threshold = thresholdOf(least, cells);
      assert.ok(most(threshold - 1) < least);
      const all = most(Infinity);
      if (all >= least) assert.ok(most(threshold) >= least);
    }),
  );
});
