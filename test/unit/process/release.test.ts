import assert from "node:assert/strict";
import { test } from "node:test";
import { starting } from "../../../services/process/release.ts";

/** Notes what is undone, in its order. */
function createUndone() {
  const undone: string[] = [];
  const undo = (name: string) => () => {
    undone.push(name);
    return Promise.resolve();
  };
  return { undone, undo };
}

test("what was started is undone in the opposite order, once", async () => {
  const { undone, undo } = createUndone();
  const [value, release] = await starting((onRelease) => {
    onRelease(undo("first"));
    onRelease(undo("second"));
    return Promise.resolve("started");
  });
  assert.equal(value, "started");
  await release();
  await release();
  assert.deepEqual(undone, ["second", "first"]);
});

test("a start that fails undoes what it had done", async () => {
  const { undone, undo } = createUndone();
  const failing = starting((onRelease) => {
    onRelease(undo("first"));
    return Promise.reject(new Error("no second"));
  });
  await assert.rejects(failing, /no second/);
  assert.deepEqual(undone, ["first"]);
});

test("a start that is cancelled ends at once, and its last step is undone when it is done", async () => {
  const { undone, undo } = createUndone();
  let finishStep: () => void = () => {};
  const step = new Promise<void>((resolve) => (finishStep = resolve));
  const cancelled = starting(
    async (onRelease) => {
      onRelease(undo("first"));
      await step;
      onRelease(undo("second"));
    },
    Promise.reject(new Error("cancelled")),
  );
  await assert.rejects(cancelled, /cancelled/);
  assert.deepEqual(undone, ["first"]);
  finishStep();
  await step;
  assert.deepEqual(undone, ["first", "second"]);
});
