import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createAddressTrie } from "../../../services/wire/address-trie.ts";
import {
  contains,
  familyOf,
  halvesOf,
  overlaps,
  parseNetwork,
  prefixOf,
  type Address,
} from "../../../services/wire/address.ts";
import { divideNetwork } from "../../../services/wire/divide-network.ts";

interface Entry {
  address: Address;
}

const parsed = (text: string) => parseNetwork(text)!;

function divide(network: string, allowed: readonly string[], mostParts = 1_000) {
  const trie = createAddressTrie<Entry>();
  for (const text of allowed) trie.set(parsed(text), { address: parsed(text) });
  const found = divideNetwork(parsed(network), trie.find, mostParts);
  return found && { free: found.free, taken: found.taken.map(({ address }) => address) };
}

test("a network is divided around an allowed address, with the fewest parts", () => {
  assert.deepEqual(divide("192.0.2.0/24", ["192.0.2.7"]), {
    free: [
      ...["192.0.2.0/30", "192.0.2.4/31", "192.0.2.6"],
      ...["192.0.2.8/29", "192.0.2.16/28", "192.0.2.32/27", "192.0.2.64/26", "192.0.2.128/25"],
    ],
    taken: ["192.0.2.7"],
  });
  assert.deepEqual(divide("2001:db8::/126", ["2001:db8::2/127"]), {
    ...{ free: ["2001:db8::/127"], taken: ["2001:db8::2/127"] },
  });
});

test("a network that nothing is allowed in is one part; one that is allowed as a whole is none", () => {
  assert.deepEqual(divide("192.0.2.0/24", ["198.51.100.7", "2001:db8::1"]), {
    ...{ free: ["192.0.2.0/24"], taken: [] },
  });
  const covered = { free: [], taken: ["192.0.2.0/24"] };
  assert.deepEqual(divide("192.0.2.0/24", ["192.0.2.7", "192.0.0.0/16"]), covered);
  assert.deepEqual(divide("192.0.2.7", ["192.0.2.7"]), { free: [], taken: ["192.0.2.7"] });
});

test("a network is not divided into more parts than the caller takes", () => {
  assert.equal(divide("192.0.2.0/24", ["192.0.2.7"], 8), undefined);
  assert.equal(divide("192.0.2.0/24", ["192.0.2.7"], 9)?.free.length, 8);
});

/** Few bits differ, so that most entries lie within the network. */
const spelled = fc.oneof(
  fc.record({
    network: fc.constantFrom("10.1.0.0/16", "10.1.2.0/24", "10.1.2.128/25"),
    entries: fc.array(
      fc.tuple(fc.integer({ min: 1, max: 3 }), fc.nat(255), fc.integer({ min: 14, max: 32 })),
      { maxLength: 8 },
    ),
    spell: fc.constant((a: number, b: number, bits: number) => `10.1.${a}.${b}/${bits}`),
  }),
  fc.record({
    network: fc.constantFrom("2001:db8::/32", "2001:db8:1::/64", "2001:db8:1::f0/124"),
    entries: fc.array(fc.tuple(fc.nat(2), fc.nat(255), fc.integer({ min: 30, max: 128 })), {
      maxLength: 8,
    }),
    spell: fc.constant(
      (a: number, b: number, bits: number) =>
        `2001:db8:${a.toString(16)}::${b.toString(16)}/${bits}`,
    ),
  }),
);

test("the parts make up the network, free parts touch no entry, and no two of them could be one", () => {
  fc.assert(
    fc.property(spelled, ({ network: text, entries, spell }) => {
      const network = parsed(text);
      const allowed = entries.map(([a, b, bits]) => spell(a, b, bits));
      const found = divide(text, allowed, Infinity)!;
      const taken = (part: Address) => allowed.map(parsed).filter((entry) => overlaps(entry, part));
      for (const part of found.free) assert.deepEqual(taken(part), [], part);
      for (const part of found.taken) {
        assert.ok(taken(part).some((entry) => contains(entry, part)));
      }
      const parts = [...found.free, ...found.taken];
      for (const part of parts) assert.ok(contains(network, part));
      // Disjoint parts within the network whose sizes add up to its size make it up.
      assert.ok(parts.every((a) => parts.every((b) => a === b || !overlaps(a, b))));
      const sizes = parts.map(sizeOf);
      assert.equal(
        sizes.reduce((sum, size) => sum + size, 0n),
        sizeOf(network),
      );
      for (const part of found.free) {
        const [lower, upper] = siblingsOf(part, network);
        assert.ok(!found.free.includes(lower!) || !found.free.includes(upper!), part);
      }
    }),
    { numRuns: 200 },
  );
});

/** How many addresses. */
const sizeOf = (part: Address) => 1n << BigInt((familyOf(part) === 4 ? 32 : 128) - prefixOf(part));

/** `part` and the network beside it that it would be one larger network with; none for the whole. */
function siblingsOf(part: Address, network: Address): Address[] {
  if (part === network) return [];
  const [base] = part.split("/");
  return halvesOf(parsed(`${base}/${prefixOf(part) - 1}`));
}
