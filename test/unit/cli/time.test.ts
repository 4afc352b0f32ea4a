import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatBoth,
  formatEnd,
  formatInstant,
  formatRelative,
  parseInstant,
  zoneOf,
} from "../../../services/cli/time.ts";

const NOON = new Date(2026, 10, 24, 12, 0, 3).getTime();

for (const [seconds, shown] of [
  [0, "now"],
  [0.4, "now"],
  [-3, "3s ago"],
  [59.4, "in 59s"],
  [59.6, "in 1m"],
  [1199.99, "in 20m"],
  [-185, "3m ago"],
  [3600, "in 1h"],
  [-93_784, "1d 2h ago"],
] as const) {
  test(`${seconds} seconds from now is ${shown}`, () =>
    assert.equal(formatRelative(NOON + seconds * 1000, NOON), shown));
}

test("instants are shown in local time", () => {
  assert.equal(formatInstant(NOON), "2026-11-24 12:00:03");
  assert.equal(formatBoth(NOON, NOON - 1_080_000), `2026-11-24 12:00:03 ${zoneOf(NOON)} (in 18m)`);
});

test("a ban without end is for ever", () => {
  assert.equal(formatEnd(null, NOON), "for ever");
  assert.equal(formatEnd(NOON, NOON - 60_000), `until 2026-11-24 12:00:03 ${zoneOf(NOON)} (in 1m)`);
});

test("an instant is read as local time unless it names a zone", () => {
  assert.equal(parseInstant("2026-11-24"), new Date(2026, 10, 24).getTime());
  assert.equal(parseInstant("2026-11-24 12:00:03"), NOON);
  assert.equal(parseInstant("2026-11-24T12:00"), NOON - 3000);
  assert.equal(parseInstant("2026-11-24T12:00:00.5Z"), Date.UTC(2026, 10, 24, 12, 0, 0, 500));
  assert.equal(parseInstant("2026-11-24T12:00+01:00"), Date.UTC(2026, 10, 24, 11));
});

for (const text of ["yesterday", "2026-13-01", "2026-11-24T25:00", "24.11.2026", "1h", ""]) {
  test(`${JSON.stringify(text)} is no instant`, () => assert.equal(parseInstant(text), undefined));
}
