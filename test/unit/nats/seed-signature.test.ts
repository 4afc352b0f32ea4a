import assert from "node:assert/strict";
import { test } from "node:test";
import { createUser, fromPublic } from "@nats-io/nkeys";
import { signWithSeed } from "../../../services/nats/seed-signature.ts";

test("a signature with a user's seed is the one that NATS's own library makes", () => {
  const text = Buffer.from("a nonce of a server");
  for (let round = 0; round < 20; round += 1) {
    const user = createUser();
    const seed = Buffer.from(user.getSeed()).toString();
    const signature = signWithSeed(seed, text);
    assert.deepEqual(signature, Buffer.from(user.sign(text)));
    assert.ok(fromPublic(user.getPublicKey()).verify(text, signature));
  }
});
