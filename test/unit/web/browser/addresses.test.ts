import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseAddress, sizeOf } from "../../../../services/web/browser/text/addresses.ts";
import { parseNetwork } from "../../../../services/wire/address.ts";

test("the page spells addresses and networks as the coordinator does", () => {
  const v4 = fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 }));
  const v6 = fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 }));
  fc.assert(
    fc.property(fc.oneof(v4, v6), fc.boolean(), ([address, prefix], isNetwork) => {
      const text = isNetwork ? `${address}/${prefix}` : address;
      // Networks of IPv4-mapped addresses are for the coordinator to spell.
      const isMapped = address.includes(":") && !parseNetwork(address)?.includes(":");
      if (isNetwork && isMapped) return;
      assert.equal(parseAddress(text), parseNetwork(text), text);
    }),
  );
});

test("addresses are spelled in one way", () => {
  assert.equal(parseAddress(" 2001:DB8:0:0::1 "), "2001:db8::1");
  assert.equal(parseAddress("::ffff:192.0.2.7"), "192.0.2.7");
  assert.equal(parseAddress("::1:0"), "::0.1.0.0");
  assert.equal(parseAddress("192.0.2.7/24"), "192.0.2.0/24");
  assert.equal(parseAddress("192.0.2.7/32"), "192.0.2.7");
});

test("what is no address is refused", () => {
  for (const text of [
    "",
    "alice",
    "192.0.2",
    "192.0.2.256",
    "1.2.3.4/33",
    "::1/129",
    "a:b",
    "[::1]",
  ]) {
    assert.equal(parseAddress(text), undefined, text);
  }
});

test("a network's size is told", () => {
  assert.equal(sizeOf("192.0.2.7"), "1 address");
  assert.equal(sizeOf("192.0.2.0/24"), "256 addresses");
  assert.equal(sizeOf("2001:db8::/64"), "2^64 addresses");
});
