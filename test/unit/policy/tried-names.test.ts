import assert from "node:assert/strict";
import { test } from "node:test";
import {
  countDifferent,
  hashOfDomain,
  relatedDomain,
} from "../../../services/policy/tried-names.ts";

test("a domain is what stands behind the first @, as Dovecot takes it, in lower case", () => {
  for (const [user, domain] of [
    ["bob@Example.ORG", "example.org"],
    ["bob@example.org.", "example.org"],
    ["bob@imap.mail.example.org", "example.org"],
    ["bob@mail.example.co.uk", "example.co.uk"],
    ["bob@example.com.br", "example.com.br"],
    ["bob@a.b.co.de", "b.co.de"],
    ["bob@localhost", "localhost"],
    ["bob@192.0.2.1", "192.0.2.1"],
    ["bob@[192.0.2.1]", "[192.0.2.1]"],
    ["bob@a@b.example.org", "example.org"],
    ["bob", undefined],
    ["bob@", undefined],
    ["bob@.", undefined],
    ["", undefined],
    ["hash:0123456789abcdef01234567", undefined],
  ] as const) {
    assert.equal(relatedDomain(user), domain, user);
  }
});

test("related domains and names without one are no different domains", () => {
  const users = ["a@example.org", "b@MAIL.example.org", "c", "d@example.net", undefined, "e@"];
  const hashes = users.map(hashOfDomain);
  assert.equal(countDifferent(hashes, 0, 2), 1);
  assert.equal(countDifferent(hashes, 0, 5), 2);
  assert.equal(countDifferent(hashes, 3, 3), 1);
  assert.equal(countDifferent([], 0, 4), 0);
});
