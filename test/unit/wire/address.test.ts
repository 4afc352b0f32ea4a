import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Address,
  addressOfToken,
  addressToken,
  contains,
  createContains,
  networkOf,
  overlaps,
  parseAddress,
  parseNetwork,
  prefixOf,
} from "../../../services/wire/address.ts";

for (const [text, canonical] of [
  ["192.0.2.1", "192.0.2.1"],
  ["2001:DB8:0:0::0001", "2001:db8::1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::ffff:c000:201", "192.0.2.1"],
  ["fe80::1%eth0", "fe80::1"],
  ["192.0.2.1%eth0", undefined],
  ["192.0.2.01", undefined],
  ["999.1.1.1", undefined],
  ["192.0.2.1; reboot", undefined],
  ["192.0.2.1\n", undefined],
  ["192.0.2.0/24", undefined],
  ["", undefined],
] as const) {
  test(`parseAddress(${JSON.stringify(text)}) is ${canonical}`, () => {
    assert.equal(parseAddress(text), canonical);
  });
}

for (const [text, canonical] of [
  ["192.0.2.7/24", "192.0.2.0/24"],
  ["192.0.2.7/32", "192.0.2.7"],
  ["10.255.255.255/9", "10.128.0.0/9"],
  ["0.0.0.0/0", "0.0.0.0/0"],
  ["2001:db8:ffff::1/33", "2001:db8:8000::/33"],
  ["2001:db8::1/128", "2001:db8::1"],
  ["::ffff:192.0.2.7/120", "192.0.2.0/24"],
  ["::ffff:192.0.2.7/95", undefined],
  ["192.0.2.0/33", undefined],
  ["192.0.2.0/-1", undefined],
  ["192.0.2.0/", undefined],
  ["192.0.2.0/24/24", undefined],
] as const) {
  test(`parseNetwork(${JSON.stringify(text)}) is ${canonical}`, () => {
    assert.equal(parseNetwork(text), canonical);
  });
}

const network = (text: string): Address => parseNetwork(text) ?? assert.fail(text);

test("networks overlap when one holds the other", () => {
  for (const [a, b, expected] of [
    ["192.0.2.0/24", "192.0.2.200", true],
    ["192.0.2.0/25", "192.0.2.200", false],
    ["192.0.0.0/16", "192.0.2.0/24", true],
    ["2001:db8::/32", "2001:db8:5::1", true],
    ["2001:db8::/48", "2001:db8:5::1", false],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["0.0.0.0/0", "255.0.0.0/8", true],
    ["128.0.0.0/1", "255.0.0.1", true],
  ] as const) {
    assert.equal(overlaps(network(a), network(b)), expected, `${a} and ${b}`);
    assert.equal(overlaps(network(b), network(a)), expected, `${b} and ${a}`);
    assert.equal(contains(network(a), network(b)), expected, `${a} contains ${b}`);
    assert.equal(contains(network(b), network(a)), false, `${b} contains ${a}`);
    assert.equal(createContains(network(a))(network(b)), expected, `${a} contains ${b}`);
    assert.equal(createContains(network(b))(network(a)), false, `${b} contains ${a}`);
  }
});

test("an address is one token of a subject, and can be told from it", () => {
  for (const text of ["192.0.2.1", "2001:db8::1", "192.0.2.0/24", "::1", "1:2:3:4:5:6:7:8"]) {
    assert.equal(addressOfToken(addressToken(network(text))), text);
  }
  assert.equal(addressToken(network("192.0.2.1")), "192-0-2-1");
  assert.equal(addressToken(network("2001:db8::1")), "2001-db8--1");
  assert.equal(addressToken(network("192.0.2.0/24")), "192-0-2-0/24");
});

test("every spelling of an IPv6 address has one canonical one", () => {
  fc.assert(
    fc.property(fc.ipV6(), fc.integer({ min: 0, max: 128 }), (text, prefix) => {
      const canonical = parseAddress(text) ?? assert.fail(text);
      assert.equal(parseAddress(canonical), canonical);
      assert.equal(parseAddress(text.toUpperCase()), canonical);
      const around = parseNetwork(`${text}/${prefix}`);
      if (around === undefined) return; // a mapped address with a prefix below 96
      assert.equal(parseNetwork(around), around);
      assert.ok(contains(around, canonical), `${around} contains ${canonical}`);
    }),
  );
});

test("the network around an address is what its spelling with that prefix says", () => {
  const groups = fc.constantFrom("0", "1", "db8", "ffff");
  const sparse = fc.array(groups, { minLength: 8, maxLength: 8 }).map((each) => each.join(":"));
  const texts = fc.oneof(fc.ipV4(), fc.ipV6(), sparse);
  fc.assert(
    fc.property(texts, fc.integer({ min: 0, max: 128 }), (text, bits) => {
      const address = parseAddress(text) ?? assert.fail(text);
      const prefix = Math.min(bits, prefixOf(address));
      const around = networkOf(address, prefix);
      assert.equal(around, parseNetwork(`${address}/${prefix}`));
      for (const wider of [prefix, 128]) assert.equal(networkOf(around, wider), around);
    }),
    { numRuns: 2_000 },
  );
});
