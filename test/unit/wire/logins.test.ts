import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAddress, parseNetwork } from "../../../services/wire/address.ts";
import { WireError } from "../../../services/wire/codec.ts";
import {
  decodeLoginDigest,
  encodeLoginDigest,
  MAX_DIGEST_BYTES,
  MAX_LOGINS,
  type LoginDigest,
} from "../../../services/wire/logins.ts";
import { loginsSubject } from "../../../services/wire/subjects.ts";

const SUBJECT = loginsSubject("mx1");
const digest: LoginDigest = {
  ...{ v: 1, host: "mx1" },
  logins: [
    { address: parseAddress("198.51.100.7")!, ago: 12 },
    { address: parseNetwork("2001:db8:0:1::/64")!, ago: 0 },
  ],
};

test("a digest of logins comes back as it was sent", () => {
  assert.deepEqual(decodeLoginDigest(encodeLoginDigest(digest), SUBJECT), digest);
});

test("the longest digest fits into the stream's longest message", () => {
  const address = parseNetwork("2001:db88:8888:8888::/64")!;
  const logins = Array.from({ length: MAX_LOGINS }, () => ({ address, ago: 2_592_000 }));
  const host = "x".repeat(63);
  const bytes = encodeLoginDigest({ v: 1, host, logins });
  assert.ok(bytes.length <= MAX_DIGEST_BYTES, String(bytes.length));
  assert.equal(decodeLoginDigest(bytes, loginsSubject(host)).logins.length, MAX_LOGINS);
});

const login = (more: object) => ({ ...digest, logins: [{ ...digest.logins[0], ...more }] });
for (const [what, value] of [
  ["that names another host than its subject", { ...digest, host: "mx2" }],
  ["with a network of IPv4, which would cover strangers", login({ address: "198.51.100.0/24" })],
  ["with a single IPv6 address", login({ address: "2001:db8::1" })],
  ["with a network that is wider than a /64", login({ address: "2001:db8::/32" })],
  ["with an address in another spelling", login({ address: "2001:DB8::/64" })],
  ["with a login of the future", login({ ago: -1 })],
  ["with a login that says nothing of its time", login({ ago: null })],
  [
    "with too many logins",
    { ...digest, logins: Array.from({ length: 2_001 }, () => digest.logins[0]) },
  ],
  ["that is too long", { ...digest, more: "x".repeat(MAX_DIGEST_BYTES) }],
  ["that is no digest", []],
] as const) {
  test(`a digest ${what} is refused`, () => {
    assert.throws(() => decodeLoginDigest(Buffer.from(JSON.stringify(value)), SUBJECT), WireError);
  });
}
