/** What the recorder does with messages that PostgreSQL does not take. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { commit } from "../../../../services/coordinator/history/commit.ts";
import {
  HistoryRefused,
  HistoryStalled,
  HistoryUnavailable,
} from "../../../../services/coordinator/history/database.ts";

/** Commits the numbers from 0 on; `fail` throws what PostgreSQL answers to them. */
async function commitNumbers(
  count: number,
  fail: (values: readonly number[], call: number) => void,
  isRunning: () => boolean = () => true,
) {
  const recorded: number[] = [];
  const leftOut: string[] = [];
  const stalled: string[] = [];
  let calls = 0;
  const messages = Array.from({ length: count }, (_, value) => {
    return { subject: `m${value}`, value: () => value };
  });
  const isCommitted = await commit(messages, {
    record: async (values) => {
      calls += 1;
      fail(values, calls);
      recorded.push(...values);
      return Promise.resolve();
    },
    isRunning,
    onStalled: (reason) => stalled.push(reason),
    onLeftOut: (subject) => leftOut.push(subject),
    pause: () => Promise.resolve(),
  });
  return { isCommitted, recorded, leftOut, stalled, calls };
}

test("messages that PostgreSQL refuses are left out, and all others are recorded in order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.nat(40)),
      fc.integer({ min: 1, max: 41 }),
      async (bad, count) => {
        const result = await commitNumbers(count, (values) => {
          if (values.some((value) => bad.includes(value))) throw new HistoryRefused("no");
        });
        const isIn = (value: number) => !bad.includes(value);
        const numbers = Array.from({ length: count }, (_, value) => value);
        assert.deepEqual(result.recorded, numbers.filter(isIn));
        const refused = numbers.filter((value) => !isIn(value)).map((value) => `m${value}`);
        assert.deepEqual(result.leftOut, refused);
        assert.equal(result.isCommitted, true);
      },
    ),
  );
});

test("a batch that takes too long is recorded in parts, and nothing of it is left out", async () => {
  const result = await commitNumbers(8, (values, call) => {
    if (values.length > 2 || call === 20) throw new HistoryStalled("too slow");
  });
  assert.deepEqual(result.recorded, [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.deepEqual(result.leftOut, []);
  assert.equal(result.stalled[0], "too slow");
});

test("a single message waits for as long as PostgreSQL takes too long for it", async () => {
  const result = await commitNumbers(1, (_, call) => {
    if (call < 50) throw new HistoryStalled("too slow");
  });
  assert.deepEqual([result.recorded, result.calls], [[0], 50]);
});

test("messages wait whole while PostgreSQL is away", async () => {
  const sizes = new Set<number>();
  const result = await commitNumbers(8, (values, call) => {
    sizes.add(values.length);
    if (call < 50) throw new HistoryUnavailable("away");
  });
  assert.deepEqual([[...sizes], result.recorded.length], [[8], 8]);
});

test("a coordinator that no longer decides gives up", async () => {
  let tries = 0;
  const away = () => {
    throw new HistoryUnavailable("away");
  };
  const result = await commitNumbers(3, away, () => (tries += 1) <= 5);
  assert.deepEqual([result.isCommitted, result.calls], [false, 5]);
});

test("an error of another kind is thrown", async () => {
  const fail = () => {
    throw new TypeError("a fault of the program");
  };
  await assert.rejects(commitNumbers(3, fail), TypeError);
});
