import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { readLine } from "../../../../../services/detection/dovecot/read-line.ts";
import { parseZone, type Zone } from "../../../../../services/detection/lines/zone.ts";
import { createLogClock } from "../../../../../services/agent/report/sources/log-clock.ts";

const NOW = Date.parse("2026-11-24T12:00:00Z");
const MINUTE_MS = 60_000;
const UTC = parseZone("UTC") as Zone;

/** A log whose stamps have no zone, written by a clock that shows `aheadMs` more than UTC. */
function createLog(shiftMs?: number) {
  const shifts: number[] = [];
  const clock = createLogClock({ zone: UTC, shiftMs, onShift: (ms) => shifts.push(ms) });
  const stampOf = (at: number, aheadMs: number) =>
    new Date(at + aheadMs).toISOString().slice(0, 19).replace("T", " ");
  const read = (at: number, aheadMs: number) => {
    const line = `${stampOf(at, aheadMs)} mx1 dovecot: imap-login: Login: x`;
    const { at: found, hasZone } = readLine(line, at, { zone: clock.zone, writers: "dovecot" });
    assert.ok(found !== undefined);
    return { at: found, hasZone };
  };
  return {
    clock,
    shifts,
    /** The instant of a line's stamp, as it is read now. */
    instantOf: (aheadMs: number, at = NOW) => read(at, aheadMs).at,
    observe(aheadMs: number, times = 3, delayMs = 500) {
      for (let count = 0; count < times; count += 1) {
        const at = NOW + count * 1000;
        clock.observe(read(at, aheadMs), at + delayMs);
      }
    },
    observeWithZone(aheadMs: number, times = 3) {
      for (let count = 0; count < times; count += 1) {
        clock.observe({ at: NOW + aheadMs, hasZone: true }, NOW);
      }
    },
  };
}

test("stamps of another time zone are corrected from the first line on, and said once", () => {
  for (const minutes of [-480, -300, -210, 15, 60, 345, 840]) {
    const { clock, shifts, observe, instantOf } = createLog();
    observe(minutes * MINUTE_MS, 1);
    assert.equal(instantOf(minutes * MINUTE_MS), NOW, `${minutes} minutes`);
    assert.deepEqual(shifts, []);
    observe(minutes * MINUTE_MS, 8);
    assert.equal(instantOf(minutes * MINUTE_MS), NOW);
    assert.deepEqual(shifts, [-minutes * MINUTE_MS]);
    assert.deepEqual(clock.time, { state: "shifted" });
  }
});

test("whatever zone a log is of, its lines get their true time within a minute", () => {
  const zones = fc.integer({ min: -14 * 4, max: 14 * 4 }).map((quarters) => quarters * 15);
  const skews = fc.integer({ min: -20_000, max: 20_000 });
  fc.assert(
    fc.property(zones, skews, fc.integer({ min: 0, max: 3_000 }), (minutes, skew, delay) => {
      const { observe, instantOf } = createLog();
      observe(minutes * MINUTE_MS + skew, 3, delay);
      const off = instantOf(minutes * MINUTE_MS + skew) - NOW;
      assert.ok(Math.abs(off) <= MINUTE_MS, `${off} ms`);
    }),
  );
});

test("stamps that are right are left as they are", () => {
  const { clock, shifts, observe, instantOf } = createLog();
  observe(0);
  assert.deepEqual(clock.time, { state: "right" });
  assert.equal(instantOf(0), NOW);
  // A line that was delayed by an hour, among others.
  observe(-60 * MINUTE_MS, 1);
  assert.equal(instantOf(0), NOW);
  observe(0);
  assert.deepEqual([clock.shiftMs, shifts], [0, []]);
});

test("a log whose zone changes, as at the end of summer time, is followed", () => {
  const { clock, shifts, observe, instantOf } = createLog();
  observe(120 * MINUTE_MS);
  observe(60 * MINUTE_MS);
  assert.equal(instantOf(60 * MINUTE_MS), NOW);
  observe(0);
  assert.equal(clock.shiftMs, 0);
  assert.deepEqual(
    shifts,
    [-120, -60, 0].map((minutes) => minutes * MINUTE_MS),
  );
});

test("a shift that was known before is kept until lines prove another one", () => {
  const { clock, shifts, observe, instantOf } = createLog(300 * MINUTE_MS);
  assert.equal(instantOf(-300 * MINUTE_MS), NOW);
  observe(0, 1);
  assert.equal(instantOf(-300 * MINUTE_MS), NOW);
  observe(-300 * MINUTE_MS, 3);
  assert.deepEqual([clock.shiftMs, shifts], [300 * MINUTE_MS, []]);
});

describe("any other steady difference is a wrong clock", () => {
  for (const [name, aheadMs] of [
    ["seven minutes behind", -7 * MINUTE_MS],
    ["an hour and four minutes ahead", 64 * MINUTE_MS],
    ["three days behind", -3 * 24 * 60 * MINUTE_MS],
  ] as const) {
    test(name, () => {
      const { clock, shifts, observe } = createLog();
      observe(aheadMs, 2);
      assert.deepEqual(clock.time, { state: "unknown" });
      observe(aheadMs, 3);
      assert.deepEqual(clock.time, { state: "wrong", aheadMs: aheadMs - 500 });
      assert.deepEqual([clock.shiftMs, shifts], [0, []]);
      observe(0);
      assert.deepEqual(clock.time, { state: "right" });
    });
  }

  test("also of whole hours, where the stamps say their zone", () => {
    const { clock, observeWithZone } = createLog();
    observeWithZone(-60 * MINUTE_MS);
    assert.deepEqual(clock.time, { state: "wrong", aheadMs: -60 * MINUTE_MS });
    assert.equal(clock.shiftMs, 0);
  });
});

test("differences that are not steady say nothing", () => {
  const { clock, observe } = createLog();
  for (const minutes of [-40, -35, -31, -28, -2]) observe(minutes * MINUTE_MS, 1);
  assert.deepEqual([clock.time, clock.shiftMs], [{ state: "unknown" }, 0]);
});
