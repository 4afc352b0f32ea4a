import assert from "node:assert/strict";
import { test } from "node:test";
import { createPacer } from "../../../../services/agent/report/pacer.ts";

/** Work of so many steps, each of which takes so long by `clock`. */
function* stepsOf(count: number, ms: number, time: { now: number }) {
  for (let step = 0; step < count; step += 1) {
    time.now += ms;
    yield undefined;
  }
  return "done";
}

function pacerOnClock() {
  const time = { now: 0 };
  const pauses: { at: number; ms: number }[] = [];
  const pacer = createPacer({
    clock: () => time.now,
    pause: (ms) => {
      pauses.push({ at: time.now, ms });
      time.now += ms;
      return Promise.resolve();
    },
  });
  return { time, pauses, pacer };
}

test("other work has its turn between the slices of long work", async () => {
  const { time, pacer } = pacerOnClock();
  const turns: number[] = [];
  const other = setImmediate(function again() {
    turns.push(time.now);
    if (turns.length < 5) setImmediate(again);
  });
  assert.equal(await pacer.run(stepsOf(20, 2, time)), "done");
  clearImmediate(other);
  assert.ok(turns.length >= 5, `${turns.length} turns`);
  assert.ok((turns[0] ?? Infinity) <= 6, "the first turn came after one slice");
});

test("at most half of each second is spent, whatever there is to do", async () => {
  const { time, pauses, pacer } = pacerOnClock();
  await pacer.run(stepsOf(500, 5, time)); // 2.5 s of work
  assert.deepEqual(
    pauses.map(({ at }) => at),
    [500, 1500, 2500, 3500, 4500],
  );
  assert.ok(pauses.every(({ ms }) => ms === 500));
});

test("work that is short is done at once", async () => {
  const { pauses, pacer, time } = pacerOnClock();
  assert.equal(await pacer.run(stepsOf(2, 1, time)), "done");
  assert.equal(pauses.length, 0);
});
