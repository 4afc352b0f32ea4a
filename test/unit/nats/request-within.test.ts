import assert from "node:assert/strict";
import { test } from "node:test";
import { requestWithinMs } from "../../../services/nats/follow-stream.ts";

test("a server that is dead is not waited for long twice in a row, and a slow one is, again and again", () => {
  const waits = Array.from({ length: 100 }, (_, failures) => requestWithinMs(failures));
  const isLong = (index: number) => waits[index]! > 1_000;
  assert.deepEqual(
    waits.slice(0, 8).filter((ms) => ms > 1_000),
    [],
  );
  for (let index = 8; index < 97; index += 1) {
    const four = [0, 1, 2, 3].filter((next) => isLong(index + next));
    assert.equal(four.length, 1, `attempts ${index} to ${index + 3}`);
  }
});
