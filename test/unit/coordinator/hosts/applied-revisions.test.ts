import assert from "node:assert/strict";
import { test } from "node:test";
import { createAppliedRevisions } from "../../../../services/coordinator/hosts/applied-revisions.ts";
import type { HostStatus } from "../../../../services/wire/status.ts";

const T = Date.UTC(2026, 10, 24);
const HOUR_MS = 3_600_000;
const BUCKET = "2026-11-24T00:00:00Z";

/** What mx1 says; its clock is an hour ahead. */
function status(revision: number, appliedAt: number | undefined, sentAt: number): HostStatus {
  return {
    ...{ v: 1, host: "mx1", instance: "00000000-0000-4000-8000-000000000000", version: "1" },
    ...{ firewall: "ipset", bansCreated: BUCKET, bansInForce: 0, addresses: [], sources: [] },
    ...{ refused: [], repairs: 0, warnings: [], startedAt: T, sentAt: sentAt + HOUR_MS, revision },
    ...(appliedAt !== undefined && { appliedAt: appliedAt + HOUR_MS }),
  };
}

test("a revision is applied when the kernel had it, by this coordinator's clock", () => {
  const revisions = createAppliedRevisions();
  const find = (revision: number, created = BUCKET) => revisions.find("mx1", { created, revision });
  assert.deepEqual(find(1), { state: "not-yet" });
  revisions.note(status(4, T, T + 5_000), T + 5_000);
  revisions.note(status(6, T + 7_003, T + 7_040), T + 7_041);
  revisions.note(status(6, T + 7_003, T + 17_000), T + 17_000);
  assert.deepEqual(find(6), { state: "applied", at: T + 7_003, isExact: true });
  assert.deepEqual(find(5), { state: "applied", at: T + 7_003, isExact: false });
  assert.deepEqual(find(4), { state: "applied", at: T, isExact: true });
  assert.deepEqual(find(3), { state: "before", at: T });
  assert.deepEqual(find(7), { state: "not-yet" });
  assert.deepEqual(find(6, "2026-11-25T00:00:00Z"), { state: "not-yet" });
});

test("an agent of an older version had the revision at the latest when its status came", () => {
  const revisions = createAppliedRevisions();
  revisions.note(status(1, undefined, T), T);
  revisions.note(status(2, undefined, T + 50), T + 51);
  assert.deepEqual(revisions.find("mx1", { created: BUCKET, revision: 2 }), {
    ...{ state: "applied", at: T + 50, isExact: true },
  });
});

test("a restarted agent forgets nothing, and a bucket that NATS has lost the end of begins again", () => {
  const revisions = createAppliedRevisions();
  const find = (revision: number) => revisions.find("mx1", { created: BUCKET, revision });
  revisions.note(status(4, T, T), T);
  revisions.note(status(6, T + 10, T + 10), T + 10);
  revisions.note(status(0, undefined, T + 20), T + 20);
  assert.deepEqual(find(6), { state: "applied", at: T + 10, isExact: true });
  revisions.note(status(5, T + 30, T + 30), T + 30);
  assert.deepEqual(find(6), { state: "not-yet" });
  assert.deepEqual(find(5), { state: "applied", at: T + 30, isExact: true });
});

test("of each host the last 500 revisions are known", () => {
  const revisions = createAppliedRevisions();
  for (let revision = 1; revision <= 2_000; revision += 1) {
    revisions.note(status(revision, T + revision, T + revision), T + revision);
  }
  const find = (revision: number) => revisions.find("mx1", { created: BUCKET, revision });
  assert.deepEqual(find(1_501), { state: "applied", at: T + 1_501, isExact: true });
  assert.deepEqual(find(1_000), { state: "before", at: T + 1_501 });
  revisions.forget("mx1");
  assert.deepEqual(find(2_000), { state: "not-yet" });
});

test("the quickest status of the last two minutes tells how a host's clock differs", () => {
  const revisions = createAppliedRevisions();
  assert.equal(revisions.aheadMs("mx1"), 0);
  for (const [passed, late] of [
    [0, 30],
    [10_000, 2],
    [20_000, 500],
    [70_000, 40],
  ] as const) {
    revisions.note(status(1, T, T + passed), T + passed + late);
  }
  assert.equal(revisions.aheadMs("mx1"), HOUR_MS - 2);
  revisions.note(status(1, T, T + 140_000), T + 140_000 + 7);
  assert.equal(revisions.aheadMs("mx1"), HOUR_MS - 7);
});
