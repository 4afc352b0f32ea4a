import assert from "node:assert/strict";
import { test } from "node:test";
import {
  afterAnnouncing,
  conditionsOf,
  createSettling,
  eventsDue,
  nextConditions,
  type Condition,
  type KeptCondition,
} from "../../../../services/coordinator/notify/conditions.ts";
import type { HostRow } from "../../../../services/wire/api.ts";
import type { Warning } from "../../../../services/wire/warnings.ts";

const rowOf = (host: string, changes: Partial<HostRow> = {}): HostRow => ({
  ...{ host, state: "up", lastSeenAt: 0, current: true, clockSkew: 0, status: null },
  ...changes,
});
const warningOf = (code: string, subject?: string): Warning => ({
  ...{ code, severity: "high", text: `text of ${code}` },
  ...(subject !== undefined && { subject }),
});
const known = () => false;
const SILENT = conditionsOf([warningOf("host-down", "mx1")], [rowOf("mx1", { state: "down" })]);

test("warnings become events of hosts and of the centre, and others do not", () => {
  const warnings = [
    ...[warningOf("host-down", "mx1"), warningOf("lines-not-understood", "mx2/mail-log")],
    ...[warningOf("credentials-expire"), warningOf("postgres-away"), warningOf("no-decider")],
  ];
  const rows = [
    ...[rowOf("mx1", { state: "down", current: false }), rowOf("mx2")],
    rowOf("mx3", { current: false }),
  ];
  const found = conditionsOf(warnings, rows).map(({ type, host }) => [type, host]);
  assert.deepEqual(found, [
    ["host-silent", "mx1"],
    ["coverage", "mx2"],
    ["credentials-expire", undefined],
    ["host-behind", "mx3"],
  ]);
});

test("a condition is announced when it has lasted, and again when it is over, under stable ids", () => {
  let kept: KeptCondition[] = [];
  const look = (holding: readonly Condition[], now: number, isUnknown = known) => {
    kept = nextConditions(kept, { settled: holding, holding, isUnknown }, now);
    const events = eventsDue(kept);
    // A coordinator that is killed here announces the same events under the same ids.
    assert.deepEqual(eventsDue(structuredClone(kept)), events);
    kept = afterAnnouncing(kept);
    return events;
  };
  const [begun] = look(SILENT, 1_000);
  assert.deepEqual(
    [begun?.type, begun?.condition?.isOver, begun?.at],
    ["host-silent", false, 1_000],
  );
  assert.deepEqual(look(SILENT, 2_000), []);
  assert.deepEqual(
    look([], 3_000, () => true),
    [],
    "nobody knows how the host is",
  );
  const [over] = look([], 4_000);
  assert.deepEqual(
    [over?.condition?.isOver, over?.at, over?.condition?.since],
    [true, 4_000, 1_000],
  );
  assert.notEqual(over?.id, begun?.id);
  assert.deepEqual(look([], 5_000), []);
  const [again] = look(SILENT, 6_000);
  assert.notEqual(again?.id, begun?.id);
});

test("what holds for a moment only is never announced", () => {
  let now = 0;
  const settle = createSettling(
    () => 60_000,
    () => now,
  );
  assert.equal(settle(SILENT).length, 0);
  now = 59_999;
  assert.equal(settle(SILENT).length, 0);
  settle([]);
  now = 61_000;
  assert.equal(settle(SILENT).length, 0);
  now = 121_000;
  assert.equal(settle(SILENT).length, 1);
});
