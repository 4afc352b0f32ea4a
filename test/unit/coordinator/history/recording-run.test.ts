/** One run of the recorder with a stream in memory; NATS's streams pass the same suite. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeRecordedStream } from "../../../harness/fake-recorded-stream.ts";
import { Recording, RECORDING_SUITE } from "../../../harness/recording-suite.ts";

for (const [sentence, check] of RECORDING_SUITE) {
  test(`in memory: ${sentence}`, () => check(createFakeRecordedStream()));
}

test("a run ends at a delivery that is missing, and the next run records the message", async () => {
  const stream = createFakeRecordedStream();
  const recording = new Recording(stream);
  for (const text of ["a", "b", "c"]) await stream.publish(text);
  stream.loseDelivery(2);
  await recording.runToEnd();
  assert.deepEqual(recording.rows, ["a"]);
  await recording.recordTo(3);
  assert.deepEqual(recording.rows, ["a", "b", "c"]);
});

test("numbers that NATS gives twice after a power failure are recorded under both", async () => {
  const stream = createFakeRecordedStream();
  const recording = new Recording(stream);
  for (const text of ["a", "b", "c"]) await stream.publish(text);
  await recording.recordTo(3);
  stream.rollBack(2);
  for (const text of ["d", "e"]) await stream.publish(text);
  await recording.noticeRollBack();
  await recording.recordTo(3);
  assert.deepEqual(recording.rows, ["a", "b", "c", "a", "d", "e"]);
});
