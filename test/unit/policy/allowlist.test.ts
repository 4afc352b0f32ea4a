import assert from "node:assert/strict";
import { test } from "node:test";
import { createAllowlist } from "../../../services/policy/allowlist.ts";
import { parseNetwork } from "../../../services/wire/address.ts";
import type { Allowed } from "../../../services/wire/settings.ts";

const network = (text: string) => parseNetwork(text)!;
const entryFor = (text: string, jail?: string): Allowed => ({
  ...{ v: 1, address: network(text), comment: text, addedAt: 0, by: "test", origin: "operator" },
  ...(jail !== undefined && { jail }),
});

test("an entry is found by whatever overlaps it, from either side", () => {
  const allowlist = createAllowlist(["192.0.2.7", "2001:db8::/32"].map((text) => entryFor(text)));
  const find = (text: string) => allowlist.find(network(text), "dovecot")?.comment;
  assert.equal(find("192.0.2.0/24"), "192.0.2.7");
  assert.equal(find("::ffff:192.0.2.7"), "192.0.2.7");
  assert.equal(find("192.0.2.8"), undefined);
  assert.equal(find("2001:db8:ffff::1"), "2001:db8::/32");
  assert.equal(find("2001::/16"), "2001:db8::/32");
  assert.equal(find("2001:db9::1"), undefined);
  allowlist.delete({ address: network("192.0.2.7") });
  assert.equal(find("192.0.2.7"), undefined);
});

test("an entry for one jail spares in that jail alone, and stands beside one for every jail", () => {
  const [office, scanner] = [entryFor("192.0.2.0/24"), entryFor("192.0.2.0/24", "submission")];
  const allowlist = createAllowlist([scanner]);
  const inside = network("192.0.2.7");
  const find = (jail: string) => allowlist.find(inside, jail);
  assert.deepEqual([find("submission"), find("dovecot")], [scanner, undefined]);
  allowlist.set(office);
  assert.deepEqual([find("submission"), find("dovecot")], [office, office]);
  assert.deepEqual(allowlist.findAll(inside), [office, scanner]);
  assert.deepEqual(allowlist.get(scanner), scanner);
  assert.equal(allowlist.get({ address: scanner.address, jail: "dovecot" }), undefined);
  allowlist.delete({ address: office.address });
  assert.deepEqual([find("submission"), find("dovecot")], [scanner, undefined]);
  allowlist.delete(scanner);
  assert.deepEqual([find("submission"), allowlist.list()], [undefined, []]);
});
