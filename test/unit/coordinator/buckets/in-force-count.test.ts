/** The count that is kept along with the changes is that of all bans that are in force. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { InForceCount } from "../../../../services/coordinator/buckets/in-force-count.ts";

const T0 = 1_790_000_000_000;
type Counted = Parameters<InForceCount["change"]>[1];

const ban = fc.option(
  fc.record({
    state: fc.constantFrom("active", "held", "shadow", "lifted", "expired"),
    until: fc.option(fc.integer({ min: -5_000, max: 60_000 }).map((ms) => T0 + ms)),
  }),
  { nil: undefined },
);
const step = fc.oneof(
  fc.record({ key: fc.constantFrom("a", "b", "c", "d"), next: ban }),
  fc.constantFrom({ ms: 1 }, { ms: 999 }, { ms: 1_000 }, { ms: 7_300 }, { ms: 3_600_000 }),
);

test("whatever changes and ends, the count is that of the bans in force", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const count = new InForceCount();
      const entries = new Map<string, Counted>();
      let now = T0;
      for (const each of steps) {
        if ("ms" in each) now += each.ms;
        else {
          const next = each.next as Counted;
          count.change(entries.get(each.key), next);
          entries.set(each.key, next);
        }
        const expected = [...entries.values()].filter(
          (entry) =>
            entry?.state === "active" &&
            // Ends count to the second in which they lie.
            (entry.until === null || Math.ceil(entry.until / 1000) * 1000 > now),
        );
        assert.equal(count.at(now), expected.length);
      }
    }),
    { numRuns: 500 },
  );
});

test("a ban that ends at a full second is over then", () => {
  const count = new InForceCount();
  count.change(undefined, { state: "active", until: T0 });
  assert.deepEqual([count.at(T0 - 1), count.at(T0)], [1, 0]);
  count.change(undefined, { state: "active", until: null });
  assert.equal(count.at(T0 + 1e9), 1);
});
