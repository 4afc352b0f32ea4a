import assert from "node:assert/strict";
import { test } from "node:test";
import { firstAfter } from "../../../../services/coordinator/api/page.ts";

const nameOf = (number: number) => `dovecot.${String(number).padStart(6, "0")}`;
/** In an order that has nothing to do with their names, as a map of bans has them. */
const ENTRIES = Array.from({ length: 50_000 }, (_, index) => (index * 7_919) % 50_000);
const sorted = ENTRIES.toSorted((a, b) => a - b);

for (const [what, isWanted] of [
  ["all", () => true],
  ["nine of ten", (entry: number) => entry % 10 !== 0],
  ["one of a hundred", (entry: number) => entry % 100 === 7],
  ["the last ones alone", (entry: number) => entry >= 49_950],
  ["none", () => false],
] as const) {
  test(`of the entries of which ${what} are wanted the first are found, and all are counted`, async () => {
    const expected = sorted.filter(isWanted);
    for (const after of [null, nameOf(0), nameOf(20_000), nameOf(49_990), nameOf(49_999)]) {
      const isBehind = (entry: number) => after === null || nameOf(entry) > after;
      for (const inOrder of [undefined, () => sorted.filter(isBehind)]) {
        const found = await firstAfter(ENTRIES, { isWanted, nameOf, after, count: 101, inOrder });
        assert.equal(found.total, expected.length);
        assert.deepEqual(
          found.first.map(({ row }) => row),
          expected.filter(isBehind).slice(0, 101),
        );
        assert.deepEqual(
          found.first.map(({ mark }) => mark),
          found.first.map(({ row }) => nameOf(row)),
        );
      }
    }
  });
}

test("where most are wanted, no more is read in their order than the page needs", async () => {
  let read = 0;
  function* inOrder() {
    for (const entry of sorted) {
      read += 1;
      yield entry;
    }
  }
  const wanted = { nameOf, after: null, count: 101, inOrder };
  await firstAfter(ENTRIES, { ...wanted, isWanted: (entry) => entry % 10 !== 0 });
  assert.ok(read > 0 && read < 200, `${read} read`);
});
