import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SortedList } from "../../../../services/coordinator/buckets/sorted-list.ts";

const key = fc.nat(3_000).map((n) => `dovecot.${n}`);

test("the items behind an item are those that were added and not deleted, in their order", () => {
  const change = fc.record({ key, isAdded: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(key, { maxLength: 2_000 }),
      fc.array(change),
      key,
      (first, changes, after) => {
        const keys = new SortedList<string>((a, b) => a < b);
        const expected = new Set(first);
        for (const each of first) keys.add(each);
        for (const { key: each, isAdded } of changes) {
          if (isAdded) keys.add(each);
          else keys.delete(each);
          if (isAdded) expected.add(each);
          else expected.delete(each);
        }
        const sorted = [...expected].sort();
        assert.deepEqual([...keys.behind(undefined)].flat(), sorted);
        assert.deepEqual(
          [...keys.behind(after)].flat(),
          sorted.filter((each) => each > after),
        );
        assert.equal(
          keys.next(after),
          sorted.find((each) => each > after),
        );
      },
    ),
  );
});

test("items that are added and deleted while somebody reads hide no other item, and repeat none", () => {
  const keys = new SortedList<string>((a, b) => a < b);
  const nameOf = (n: number) => String(n).padStart(5, "0");
  for (let n = 0; n < 10_000; n += 2) keys.add(nameOf(n));
  const seen: string[] = [];
  for (const part of keys.behind(undefined)) {
    for (const each of part) {
      seen.push(each);
      keys.delete(each);
      keys.add(nameOf(((seen.length * 7_919) % 10_000) | 1));
    }
  }
  const even = seen.filter((each) => Number(each) % 2 === 0);
  assert.deepEqual(
    even,
    Array.from({ length: 5_000 }, (_, n) => nameOf(2 * n)),
  );
  assert.deepEqual(seen, [...new Set(seen)].sort());
});
