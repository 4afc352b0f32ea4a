import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createAddressTrie } from "../../../services/wire/address-trie.ts";
import { overlaps, parseNetwork, type Address } from "../../../services/wire/address.ts";

/** Few bits differ, so that many networks lie within others. */
const spelled = fc.oneof(
  fc.tuple(fc.nat(3), fc.nat(255), fc.nat(32)).map(([a, b, bits]) => `10.${a}.0.${b}/${bits}`),
  fc.tuple(fc.nat(3), fc.nat(65535), fc.nat(128)).map(([a, b, bits]) => {
    return `2001:db8:${a.toString(16)}::${b.toString(16)}/${bits}`;
  }),
);
const address = spelled.map((text) => parseNetwork(text)!);
const step = fc.record({ address, isDeleted: fc.integer({ max: 2, min: 0 }).map((n) => n === 0) });

test("a look-up in the trie finds something exactly where the naive look-up does", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.array(address), (steps, asked) => {
      const trie = createAddressTrie<Address>();
      const entries = new Set<Address>();
      for (const { address: each, isDeleted } of steps) {
        if (isDeleted) {
          trie.delete(each);
          entries.delete(each);
        } else {
          trie.set(each, each);
          entries.add(each);
        }
      }
      for (const each of [...asked, ...steps.map(({ address: own }) => own)]) {
        assert.equal(trie.get(each), entries.has(each) ? each : undefined);
        const found = trie.find(each);
        const expected = [...entries].some((entry) => overlaps(entry, each));
        assert.equal(found !== undefined, expected, `${each} among ${[...entries].join(", ")}`);
        if (found !== undefined) assert.ok(entries.has(found) && overlaps(found, each));
      }
    }),
    { numRuns: 300 },
  );
});

test("the largest network around an address is found, and a value is replaced", () => {
  const trie = createAddressTrie<string>();
  for (const text of ["192.0.2.7", "192.0.2.0/24", "192.0.0.0/16"]) {
    trie.set(parseNetwork(text)!, text);
  }
  assert.equal(trie.find(parseNetwork("192.0.2.7")!), "192.0.0.0/16");
  trie.set(parseNetwork("192.0.0.0/16")!, "again");
  assert.equal(trie.find(parseNetwork("192.0.2.7")!), "again");
  assert.equal(trie.find(parseNetwork("::ffff:192.0.2.7")!), "again");
});
