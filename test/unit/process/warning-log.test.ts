import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { createWarningLog } from "../../../services/process/warning-log.ts";
import { warn } from "../../../services/wire/warnings.ts";

const HOUR_MS = 3_600_000;

function setUp() {
  const lines: string[] = [];
  const clock = { now: 0 };
  const log = pino({ base: null }, { write: (line) => void lines.push(line) });
  return { lines, clock, note: createWarningLog(log, () => clock.now) };
}

const behind = (megabytes: number) =>
  warn("source-lag", { source: "dovecot", megabytes }, "dovecot");

test("a warning is logged when it begins and when it is over, and not in between", () => {
  const { lines, clock, note } = setUp();
  for (const megabytes of [11, 12, 13]) {
    note([behind(megabytes)]);
    clock.now += 10_000;
  }
  assert.equal(lines.length, 1);
  assert.match(
    lines[0]!,
    /"level":40.*"code":"source-lag","subject":"dovecot","reason":"source dovecot is 11 MB behind"/,
  );
  note([]);
  assert.equal(lines.length, 2);
  assert.match(
    lines[1]!,
    /"level":30.*"code":"source-lag","subject":"dovecot","msg":"warning is over"/,
  );
});

test("a warning that lasts is logged again once an hour", () => {
  const { lines, clock, note } = setUp();
  for (clock.now = 0; clock.now <= 2 * HOUR_MS; clock.now += 60_000) note([warn("no-decider")]);
  assert.equal(lines.length, 3);
});

test("the same warning of two sources is logged for each", () => {
  const { lines, note } = setUp();
  note(["a", "b"].map((source) => warn("source-lag", { source, megabytes: 20 }, source)));
  assert.equal(lines.length, 2);
});
