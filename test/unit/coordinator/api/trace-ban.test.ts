import assert from "node:assert/strict";
import { test } from "node:test";
import { traceBan, type TraceFacts } from "../../../../services/coordinator/api/trace-ban.ts";
import type { AppliedAt } from "../../../../services/coordinator/hosts/applied-revisions.ts";
import { parseAddress } from "../../../../services/wire/address.ts";
import type { Ban } from "../../../../services/wire/ban.ts";

const T = Date.UTC(2026, 10, 24);
const HOUR_MS = 3_600_000;

/** Logged at T by mx1, whose clock is two seconds and a half ahead, and NATS's one second behind. */
const BAN: Ban = {
  ...{ v: 1, change: "00000000-0000-4000-8000-000000000001", jail: "dovecot", state: "active" },
  ...{ address: parseAddress("198.51.100.7")!, startsAt: T, until: T + HOUR_MS, offence: 1 },
  ...{ evidence: [], by: "decider", immuneUntil: null, reason: "5 failures" },
  countedUntil: T - 999,
  completedBy: { host: "mx1", sentAt: T + 2_504, storedAt: T - 994 },
  changedAt: T + 7,
};

const trace = (facts: Partial<TraceFacts> = {}) =>
  traceBan({
    ...{ ban: BAN, jail: undefined, writtenAt: T - 991, natsAheadMs: -1_000 },
    hosts: ["mx1", "mx2", "mx3"],
    aheadMs: (name) => (name === "mx1" ? 2_500 : 0),
    appliedAt: (name): AppliedAt => ({
      ...{ state: "applied", at: name === "mx2" ? T + 40 : T + 11, isExact: true },
    }),
    ...facts,
  });

test("every step is shown by one clock, whatever the clocks of its machine, and the slowest is named", () => {
  const { steps, applied, slowest, clocks, notes } = trace();
  assert.deepEqual(
    steps.map(({ step, where, at, ms }) => [step, where, at - T, ms]),
    [
      ["logged", "mx1", 1, null],
      ["read", "mx1", 4, 3],
      ["stored", "NATS", 6, 2],
      ["decided", "coordinator", 7, 1],
      ["written", "NATS", 9, 2],
    ],
  );
  assert.deepEqual(
    applied.map(({ host: name, state, ms }) => [name, state, ms]),
    [
      ["mx2", "applied", 31],
      ["mx1", "applied", 2],
      ["mx3", "applied", 2],
    ],
  );
  assert.deepEqual(slowest, { step: "applied", where: "mx2", ms: 31 });
  assert.deepEqual(clocks, [
    { where: "NATS", aheadMs: -1_000 },
    { where: "mx1", aheadMs: 2_500 },
  ]);
  assert.deepEqual(notes, []);
});

test("a slow step before the ban is the slowest, also where clocks make others seem negative", () => {
  const completedBy = { host: "mx1", sentAt: T + 2_504, storedAt: T + 4_000 };
  const late = { ...BAN, completedBy, countedUntil: T + 2_500, changedAt: T + 4_999 };
  const { steps, slowest } = trace({ ban: late });
  assert.deepEqual(
    steps.map(({ ms }) => ms),
    [null, 4, 4_996, 0, 0],
  );
  assert.deepEqual(slowest, { step: "stored", where: "NATS", ms: 4_996 });
});

test("hosts that do not have it come first, and others of which only an end is known say so", () => {
  const states: Record<string, AppliedAt> = {
    mx1: { state: "before", at: T + 99 },
    mx2: { state: "applied", at: T + 19, isExact: false },
    mx3: { state: "not-yet" },
  };
  const { applied } = trace({ appliedAt: (name) => states[name]! });
  assert.deepEqual(
    applied.map(({ host: name, state, ms }) => [name, state, ms]),
    [
      ["mx3", "not-yet", null],
      ["mx2", "at-the-latest", 10],
      ["mx1", "before", null],
    ],
  );
});

test("only the hosts that a ban is for are shown, and none of a ban that is held", () => {
  const names = (facts: Partial<TraceFacts>) => trace(facts).applied.map(({ host: name }) => name);
  assert.deepEqual(names({ ban: { ...BAN, hosts: ["mx2"] } }), ["mx2"]);
  assert.deepEqual(names({ jail: { hosts: ["mx*", "!mx2"] } }), ["mx1", "mx3"]);
  assert.deepEqual(names({ ban: { ...BAN, state: "held", held: "too many" } }), []);
});

test("what is not known is named", () => {
  const ofBans = { ...BAN };
  delete ofBans.completedBy;
  const { steps, notes } = trace({ ban: ofBans, writtenAt: undefined, natsAheadMs: undefined });
  assert.deepEqual(
    steps.map(({ step }) => step),
    ["decided"],
  );
  assert.deepEqual(notes, [
    "no failure of its own has completed the ban, so the way begins here",
    "NATS does not say when it stored the ban",
    "NATS's clock could not be compared",
  ]);
  const whole = trace({ ban: { ...BAN, countedUntil: T - 1_000 }, hosts: [] });
  assert.deepEqual(whole.notes, [
    "the log's stamp may have whole seconds only",
    "the clock of mx1 is not known, because the host is not up",
  ]);
});
