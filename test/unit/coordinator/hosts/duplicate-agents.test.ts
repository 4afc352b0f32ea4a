import assert from "node:assert/strict";
import { test } from "node:test";
import { createDuplicateAgents } from "../../../../services/coordinator/hosts/duplicate-agents.ts";
import type { HostStatus } from "../../../../services/wire/status.ts";

const T0 = Date.parse("2026-11-24T12:00:00Z");
const FIRST = "11111111-1111-4111-8111-111111111111";
const SECOND = "22222222-2222-4222-8222-222222222222";

/** A status as heard at `at`; `clock` is how far the host's own clock is ahead. */
function status(instance: string, startedAt: number, at: number, clock = 0): HostStatus {
  return {
    ...{ v: 1 as const, host: "mx1", instance, version: "0.1.0", firewall: "ipset", revision: 0 },
    ...{ startedAt: startedAt + clock, sentAt: at + clock, bansCreated: null, bansInForce: 0 },
    ...{ addresses: [], sources: [], refused: [], repairs: 0, warnings: [] },
  };
}

const names = (duplicateAgents: ReturnType<typeof createDuplicateAgents>, now: number) =>
  [...duplicateAgents.refused(now).values()].flatMap((each) =>
    each.map((duplicate) => duplicate.status.instance),
  );

test("an agent that was killed and started again takes its place at once", () => {
  const duplicateAgents = createDuplicateAgents();
  assert.equal(duplicateAgents.hear(status(FIRST, T0, T0), T0), true);
  assert.equal(duplicateAgents.hear(status(SECOND, T0 + 50, T0 + 60), T0 + 60), true);
  // What the dead one had said arrives late.
  assert.equal(duplicateAgents.hear(status(FIRST, T0, T0 + 70), T0 + 70), false);
  assert.equal(duplicateAgents.hear(status(SECOND, T0 + 50, T0 + 10_060), T0 + 10_060), true);
  assert.deepEqual(names(duplicateAgents, T0 + 10_060), []);
});

test("of two that are alive the one that started later is refused, whatever its clock says", () => {
  for (const clock of [0, -3 * 365 * 86_400_000, 86_400_000]) {
    const duplicateAgents = createDuplicateAgents();
    duplicateAgents.hear(status(FIRST, T0, T0 + 1_000), T0 + 1_000);
    duplicateAgents.hear(status(SECOND, T0 + 5_000, T0 + 6_000, clock), T0 + 6_000);
    assert.equal(duplicateAgents.hear(status(FIRST, T0, T0 + 11_000), T0 + 11_000), true);
    assert.deepEqual(names(duplicateAgents, T0 + 11_000), [SECOND]);
    assert.equal(
      duplicateAgents.hear(status(SECOND, T0 + 5_000, T0 + 16_000, clock), T0 + 16_000),
      false,
    );
  }
});

test("a coordinator that hears the later one first refuses it all the same", () => {
  const duplicateAgents = createDuplicateAgents();
  duplicateAgents.hear(status(SECOND, T0 + 5_000, T0 + 6_000), T0 + 6_000);
  duplicateAgents.hear(status(FIRST, T0, T0 + 7_000), T0 + 7_000);
  assert.equal(duplicateAgents.hear(status(SECOND, T0 + 5_000, T0 + 16_000), T0 + 16_000), false);
  assert.deepEqual(names(duplicateAgents, T0 + 16_000), [SECOND]);
});

test("the warning ends when the second is gone, and it takes the place when the first is", () => {
  const duplicateAgents = createDuplicateAgents();
  duplicateAgents.hear(status(FIRST, T0, T0), T0);
  duplicateAgents.hear(status(SECOND, T0 + 1_000, T0 + 1_000), T0 + 1_000);
  duplicateAgents.hear(status(FIRST, T0, T0 + 10_000), T0 + 10_000);
  assert.deepEqual(names(duplicateAgents, T0 + 30_000), [SECOND]);
  assert.deepEqual(names(duplicateAgents, T0 + 31_000), []);
  duplicateAgents.hear(status(SECOND, T0 + 1_000, T0 + 39_000), T0 + 39_000);
  duplicateAgents.hear(status(FIRST, T0, T0 + 40_500), T0 + 40_500);
  assert.deepEqual(names(duplicateAgents, T0 + 40_500), [SECOND]);
  assert.equal(duplicateAgents.hear(status(SECOND, T0 + 1_000, T0 + 80_000), T0 + 80_000), true);
});
