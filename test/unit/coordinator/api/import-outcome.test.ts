import assert from "node:assert/strict";
import { test } from "node:test";
import {
  endOfRow,
  isAsLong,
  newOutcome,
  refuse,
} from "../../../../services/coordinator/api/import-outcome.ts";
import { parseNetwork } from "../../../../services/wire/address.ts";

const NOW = 1_000_000;
const hours = (count: number) => NOW + count * 3_600_000;

test("what has nine tenths of the wanted time left is as long, unless an instant is meant", () => {
  const wanted = { until: hours(10), isExact: false };
  assert.equal(isAsLong(hours(9), wanted, NOW), true);
  assert.equal(isAsLong(hours(9) - 1, wanted, NOW), false);
  assert.equal(isAsLong(null, wanted, NOW), true);
  assert.equal(isAsLong(hours(10) - 1, { ...wanted, isExact: true }, NOW), false);
  assert.equal(isAsLong(hours(10), { ...wanted, isExact: true }, NOW), true);
  assert.equal(isAsLong(hours(1e6), { until: null, isExact: false }, NOW), false);
  assert.equal(isAsLong(null, { until: null, isExact: true }, NOW), true);
});

test("an entry ends at its instant, after its seconds, never, or does not say", () => {
  assert.equal(endOfRow({ until: 5 }, NOW), 5);
  assert.equal(endOfRow({ seconds: 2 }, NOW), NOW + 2_000);
  assert.equal(endOfRow({ seconds: null }, NOW), null);
  assert.equal(endOfRow({ until: null }, NOW), null);
  assert.equal(endOfRow({}, NOW), undefined);
});

test("a reply names the first entries that were left out, and counts all of them", () => {
  const outcome = newOutcome();
  for (let count = 0; count < 150; count += 1) refuse(outcome, parseNetwork("::1")!, "because");
  assert.deepEqual([outcome.refused.length, outcome.refusedCount], [100, 150]);
});
