import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { compareHosts } from "../../../../services/coordinator/hosts/host-order.ts";

test("numbers in names of hosts are in their order, whatever stands around them", () => {
  const sorted = [
    ...["mail", "mail-1-a", "mail-1-b", "mail-2-a", "mail-10-a", "mx", "mx1", "mx1b", "mx2"],
    ...["mx9", "mx01", "mx02", "mx10", "mx11", "mx100", "mx100a", "mxa", "mxb2", "mxb10"],
  ];
  assert.deepEqual(sorted.toReversed().sort(compareHosts), sorted);
});

const name = fc.stringMatching(/^[a1-9_-]{1,6}$/);

test("the order is one order: of any three names none comes before and behind the others", () => {
  fc.assert(
    fc.property(name, name, name, (a, b, c) => {
      assert.equal(compareHosts(a, b) < 0, compareHosts(b, a) > 0);
      assert.equal(compareHosts(a, b) === 0, a === b);
      if (compareHosts(a, b) < 0 && compareHosts(b, c) < 0) assert.ok(compareHosts(a, c) < 0);
    }),
    { numRuns: 20_000 },
  );
});

test("names without a leading zero are in the order that Intl.Collator calls numeric", () => {
  const { compare } = new Intl.Collator("en", { numeric: true });
  const small = fc.stringMatching(/^[a-c]{1,2}[1-9]\d{0,3}[a-c]?$/);
  fc.assert(
    fc.property(small, small, (a, b) => {
      assert.equal(Math.sign(compareHosts(a, b)), Math.sign(compare(a, b)));
    }),
  );
});
