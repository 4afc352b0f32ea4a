import assert from "node:assert/strict";
import { test } from "node:test";
import { createAccount, createUser, encodeUser } from "@nats-io/jwt";
import { mayAsk } from "../../../services/wire/askers.ts";
import { rightsOf, ROLES } from "../../../services/wire/rights.ts";

/** Of NATS, in bytes; beside the JWT the line has a signature, the client's name and version. */
const LONGEST_LINE = 4096;
const BESIDE_JWT = 500;

for (const role of ROLES) {
  test(`the JWT of ${role} with the longest name fits into the line in which NATS takes it`, async () => {
    const name = "x".repeat(63);
    const { publish, subscribe } = rightsOf(role, name);
    const rights = {
      pub: { allow: [...publish] },
      sub: { allow: [...subscribe] },
      ...{ subs: 1_024, payload: 1_048_576, tags: [`role:${role}`] },
    };
    const end = { exp: 4_000_000_000 };
    const jwt = await encodeUser(name, createUser(), createAccount(), rights, end);
    assert.ok(jwt.length + BESIDE_JWT <= LONGEST_LINE, `${role}: ${jwt.length} bytes`);
  });
}

test("a viewer asks, support lifts and allows besides, an operator may ask everything", () => {
  const asked = ["ban.list", "status.show", "failure.top", "web.login"];
  for (const endpoint of asked) assert.ok(mayAsk("viewer", endpoint), endpoint);
  for (const endpoint of ["ban.remove", "allow.add"]) {
    assert.ok(!mayAsk("viewer", endpoint), endpoint);
    assert.ok(mayAsk("support", endpoint), endpoint);
  }
  for (const endpoint of ["ban.add", "ban.lift", "allow.remove", "jail.set", "allow.import"]) {
    assert.ok(!mayAsk("support", endpoint), endpoint);
    assert.ok(mayAsk("operator", endpoint), endpoint);
  }
});
