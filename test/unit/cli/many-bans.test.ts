import assert from "node:assert/strict";
import { test } from "node:test";
import { untilDone } from "../../../services/cli/many-bans.ts";
import { EXIT, PlainError } from "../../../services/process/exit.ts";

const AT_ONCE = 0;

/** Answers one after the other, the last one again and again. */
function answersOf(...answers: (number | Error)[]): () => Promise<number> {
  let next = 0;
  return () => {
    const answer = answers[Math.min(next, answers.length - 1)] ?? 0;
    next += 1;
    return typeof answer === "number" ? Promise.resolve(answer) : Promise.reject(answer);
  };
}

test("a question that the busy coordinator leaves unanswered is asked again", async () => {
  const silence = new PlainError("does not answer in time", EXIT.unavailable);
  assert.equal(await untilDone(9, answersOf(7, silence, silence, 2, 0), AT_ONCE), 0);
});

test("what is left is told when it falls no more", async () => {
  assert.equal(await untilDone(9, answersOf(7, 4), AT_ONCE), 4);
  const silence = new PlainError("does not answer in time", EXIT.unavailable);
  assert.equal(await untilDone(9, answersOf(5, silence), AT_ONCE), 5);
});

test("a refusal ends the wait", async () => {
  const refusal = new PlainError("bob is a viewer", EXIT.permission);
  await assert.rejects(untilDone(9, answersOf(7, refusal), AT_ONCE), refusal);
});
