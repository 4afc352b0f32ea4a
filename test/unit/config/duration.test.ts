import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration, parseDuration } from "../../../services/config/duration.ts";

for (const [text, seconds] of [
  ["1200", 1200],
  ["20m", 1200],
  ["1d 12h", 129_600],
  ["1h30m", 5400],
  ["1.5h", 5400],
  ["1w", 604_800],
  ["1mo", 2_629_800],
  ["1y", 31_557_600],
  ["-1", null],
  ["0", undefined],
  ["10 apples", undefined],
  ["-5m", null],
  ["m", undefined],
  ["", undefined],
] as const) {
  test(`the duration ${JSON.stringify(text)} is ${seconds} seconds`, () => {
    assert.equal(parseDuration(text), seconds);
  });
}

test("durations are shown with their two largest units", () => {
  assert.equal(formatDuration(1200), "20m");
  assert.equal(formatDuration(93_784), "1d 2h");
  assert.equal(formatDuration(59.9), "59s");
  assert.equal(formatDuration(0.2), "0s");
  assert.equal(formatDuration(null), "for ever");
});
