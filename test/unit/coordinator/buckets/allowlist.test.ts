import assert from "node:assert/strict";
import { test } from "node:test";
import { createAllowlist } from "../../../../services/coordinator/buckets/allowlist.ts";
import { parseNetwork } from "../../../../services/wire/address.ts";

test("an entry is found by whatever overlaps it, from either side", () => {
  const allowlist = createAllowlist();
  for (const text of ["192.0.2.7", "2001:db8::/32"]) {
    const address = parseNetwork(text)!;
    allowlist.set({ v: 1, address, comment: text, addedAt: 0, by: "test", origin: "operator" });
  }
  const find = (text: string) => allowlist.find(parseNetwork(text)!)?.comment;
  assert.equal(find("192.0.2.0/24"), "192.0.2.7");
  assert.equal(find("::ffff:192.0.2.7"), "192.0.2.7");
  assert.equal(find("192.0.2.8"), undefined);
  assert.equal(find("2001:db8:ffff::1"), "2001:db8::/32");
  assert.equal(find("2001::/16"), "2001:db8::/32");
  assert.equal(find("2001:db9::1"), undefined);
  allowlist.delete(parseNetwork("192.0.2.7")!);
  assert.equal(find("192.0.2.7"), undefined);
});
