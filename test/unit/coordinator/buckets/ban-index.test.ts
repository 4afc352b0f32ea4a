import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BanIndex, type BanPlace } from "../../../../services/coordinator/buckets/ban-index.ts";
import {
  contains,
  networksAround,
  overlaps,
  parseNetwork,
} from "../../../../services/wire/address.ts";
import type { Ban } from "../../../../services/wire/ban.ts";
import { banKey } from "../../../../services/wire/subjects.ts";

/** Numbers that are neighbours, begin alike as text, or are left out of an IPv6 address. */
const byte = fc.constantFrom(0, 1, 2, 9, 10, 11, 19, 100, 127, 128, 199, 255);
const word = fc.constantFrom(0, 0, 0, 1, 0xf, 0x10, 0x1f, 0x100, 0x1000, 0x2001, 0x8000, 0xffff);
const ofFamily = (group: fc.Arbitrary<number>, count: number) =>
  fc.array(group, { minLength: count, maxLength: count });
const spelled = fc.oneof(
  fc.tuple(
    ofFamily(byte, 4).map((bytes) => bytes.join(".")),
    fc.integer({ min: 0, max: 32 }),
  ),
  fc.tuple(
    ofFamily(word, 8).map((words) => words.map((each) => each.toString(16)).join(":")),
    fc.integer({ min: 0, max: 128 }),
  ),
);
/** A network of IPv4-mapped addresses is none if it is wider than all of IPv4. */
const network = spelled
  .map(([text, prefix]) => parseNetwork(`${text}/${prefix}`))
  .filter((parsed) => parsed !== undefined);
const single = spelled.map(([text]) => parseNetwork(text)!);
const address = fc.oneof(single, network);
/** "a-b." comes before "a." in the order of keys, and "a" before "a-b" in that of names. */
const jail = fc.constantFrom("a", "a-b", "ab", "A", "z9");

const isAt = (ban: Ban, place: BanPlace) =>
  (place.jail === undefined || ban.jail === place.jail) &&
  (place.within === undefined || contains(place.within, ban.address)) &&
  (place.address === undefined || overlaps(place.address, ban.address));

/** An index of these bans, after the others among them were deleted. */
function indexOf(given: readonly { ban: Ban; isDeleted: boolean }[]) {
  const index = new BanIndex();
  const bans = new Map<string, Ban>();
  for (const { ban } of given) {
    const key = banKey(ban.jail, ban.address);
    index.note({ type: "put", key, value: ban, previous: bans.get(key), writtenAt: 1 });
    bans.set(key, ban);
  }
  for (const { ban, isDeleted } of given) {
    const key = banKey(ban.jail, ban.address);
    if (!isDeleted) continue;
    index.note({ type: "deleted", key, previous: bans.get(key) });
    bans.delete(key);
  }
  return { index, bans };
}

const someBans = fc.array(
  fc.record({
    ban: fc.record({ jail, address, state: fc.constant("active"), until: fc.constant(null) }),
    isDeleted: fc.boolean(),
  }),
  { maxLength: 60 },
) as fc.Arbitrary<{ ban: Ban; isDeleted: boolean }[]>;
const option = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });

test("the index leads to exactly the bans that a look at every ban finds", () => {
  /** A place that has nothing to do with the bans, or one around a ban or within a ban. */
  const asked = fc.record({
    place: fc.record({ jail: option(jail), within: option(address), address: option(address) }),
    near: fc.nat(),
    prefix: fc.integer({ min: 0, max: 128 }),
    as: fc.constantFrom("within", "address", "nowhere"),
  });
  fc.assert(
    fc.property(someBans, fc.array(asked), (given, questions) => {
      const { index, bans } = indexOf(given);
      for (const { place, near, prefix, as } of questions) {
        const ban = given[near % Math.max(given.length, 1)]?.ban;
        const [base = ""] = ban?.address.split("/") ?? [];
        const around = parseNetwork(`${base}/${prefix}`) ?? parseNetwork(base);
        const wanted: BanPlace =
          as === "nowhere" || !around ? place : { jail: place.jail, [as]: around };
        const keys = [...index.keysAt(wanted)].flat();
        assert.deepEqual(keys, [...new Set(keys)], "no key comes twice");
        const found = keys.filter((key) => bans.has(key) && isAt(bans.get(key)!, wanted));
        const expected = [...bans].filter(([, each]) => isAt(each, wanted));
        assert.deepEqual(found.sort(), expected.map(([key]) => key).sort());
      }
    }),
  );
});

test("the first address of a network is found in it, and in every network around it", () => {
  for (const text of ["2001:db8::", "2001:db8:1::", "0:10::", "::", "10.0.0.0"]) {
    const ban = { jail: "a", address: parseNetwork(text)!, state: "active" } as Ban;
    const { index } = indexOf([{ ban, isDeleted: false }]);
    for (const within of networksAround(ban.address)) {
      assert.ok([...index.keysAt({ within })].flat().includes(banKey("a", ban.address)), within);
    }
  }
});

test("the keys of one jail are those of all jails that are the jail's", () => {
  fc.assert(
    fc.property(someBans, jail, option(fc.nat()), (given, wanted, from) => {
      const { index, bans } = indexOf(given);
      const all = [...index.keysBehind(null)].flat();
      assert.deepEqual(all, [...bans.keys()].sort());
      const after = from === undefined ? null : (all[from % Math.max(all.length, 1)] ?? null);
      const expected = all.filter((key) => bans.get(key)?.jail === wanted);
      assert.deepEqual(
        [...index.keysBehind(after, wanted)].flat(),
        expected.filter((key) => after === null || key > after),
      );
    }),
  );
});

test("a network is found without a look at the bans of others, and it is known how many that are", () => {
  const { index } = indexOf(
    Array.from({ length: 10_000 }, (_, number) => {
      const text =
        number % 2 === 0 ? `10.0.${number >> 8}.${number & 255}` : `2001:db8:${number}::`;
      return { ban: { jail: "a", address: parseNetwork(text)! } as Ban, isDeleted: false };
    }),
  );
  const count = (place: BanPlace) => [...index.keysAt(place)].flat().length;
  assert.equal(count({ within: parseNetwork("10.0.7.0/24")! }), 128);
  assert.equal(count({ within: parseNetwork("10.0.6.0/23")! }), 256);
  assert.equal(count({ within: parseNetwork("2001:db8:7::/48")! }), 1);
  assert.equal(count({ within: parseNetwork("192.0.2.0/24")! }), 0);
  assert.equal(count({ address: parseNetwork("10.0.7.2")! }), 33);

  const share = (place: BanPlace) => Math.round(10 * index.shareAt(place)) / 10;
  assert.equal(share({}), 1);
  assert.equal(share({ jail: "a" }), 1);
  assert.equal(share({ jail: "b" }), 0);
  assert.equal(share({ within: parseNetwork("10.0.0.0/12")! }), 0.5);
  assert.equal(share({ within: parseNetwork("10.0.7.0/24")! }), 0);
  assert.equal(share({ address: parseNetwork("2001:db8::/32")! }), 0.5);
  assert.equal(share({ address: parseNetwork("10.0.7.2")! }), 0);
});
