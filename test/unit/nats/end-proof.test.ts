import assert from "node:assert/strict";
import { test } from "node:test";
import { createEndProof } from "../../../services/nats/end-proof.ts";

test("the end of a stream is reached with the first message at or behind it", () => {
  for (const last of [10, 12]) {
    const proof = createEndProof(10);
    proof.delivered(9);
    assert.equal(proof.isComplete(), false);
    proof.delivered(last);
    assert.equal(proof.isComplete(), true);
  }
});

test("a heartbeat proves the end only once NATS has looked up to there, and all it sent has arrived", () => {
  const proof = createEndProof(10);
  proof.delivered(4);
  proof.reported(1, 9);
  assert.equal(proof.isComplete(), false, "NATS has not looked at the last message yet");
  proof.reported(2, 10);
  assert.equal(proof.isComplete(), false, "a message is still on its way");
  proof.reported(1, 10);
  assert.equal(proof.isComplete(), true, "the last messages are gone");
});

test("a stream that never had a message has been read", () => {
  assert.equal(createEndProof(0).isComplete(), true);
});
