import assert from "node:assert/strict";
import { test } from "node:test";
import { Restoring } from "../../../../services/coordinator/upkeep/restore-bans.ts";
import type { Step } from "../../../../services/coordinator/buckets/ban-store.ts";
import { createChanges, memoryOf } from "../../../../services/policy/ban-memory.ts";
import type { Log } from "../../../../services/process/log.ts";
import { parseAddress, type Address } from "../../../../services/wire/address.ts";
import type { Ban } from "../../../../services/wire/ban.ts";
import type { Jail } from "../../../../services/wire/settings.ts";
import { banKey } from "../../../../services/wire/subjects.ts";

const T0 = 1_790_000_000_000;
const SECOND = 1_000;
const [A, B, C] = [1, 2, 3].map((last) => parseAddress(`198.51.100.${last}`)!);
const jail: Jail = {
  ...{ v: 1, name: "dovecot", ports: [143], maxretry: 5, findtime: 600, bantime: 600 },
  increment: { factor: 1, multipliers: [], maxtime: 40_000, overalljails: false },
};
const log = { info() {}, warn() {} } as unknown as Log;

let ids = 0;
const newId = () => {
  ids += 1;
  return `00000000-0000-4000-8000-${String(ids).padStart(12, "0")}`;
};
const banOf = (address: Address, more: Partial<Ban> = {}): Ban => ({
  ...{ v: 1, change: newId(), jail: "dovecot", address, state: "active", offence: 1 },
  ...{ startsAt: T0, until: T0 + 600 * SECOND, changedAt: T0, reason: "5 failures" },
  ...{ evidence: [{ host: "mx1", failures: 5 }], by: "decider" },
  ...{ immuneUntil: null, countedUntil: T0 },
  ...more,
});

/** A bucket that was made anew and has `present`, and a record that has `recorded`. */
function start({ present, recorded }: { present: Ban[]; recorded: Ban[] }) {
  let revision = 0;
  const entryOf = (ban: Ban) => ({ ban, revision: (revision += 1) });
  const bucket = new Map(present.map((ban) => [banKey(ban.jail, ban.address), entryOf(ban)]));
  const put = (ban: Ban) => bucket.set(banKey(ban.jail, ban.address), entryOf(ban));
  const state = { recordedRevision: 0, isStalled: false, isReady: false, tampered: [] as Ban[] };
  const bans = {
    get: (name: string, address: Address) => bucket.get(banKey(name, address))?.ban,
    entries: () => [...bucket].map(([key, entry]) => ({ key, ...entry })).values(),
    revision: () => revision,
    takeTampered: () => state.tampered.splice(0),
    change(name: string, address: Address, step: Step) {
      const entry = bucket.get(banKey(name, address));
      const ban = step(entry?.ban, entry?.revision ?? 0);
      if (ban) put(ban);
      return Promise.resolve(ban && { ban, revision });
    },
  };
  const now = () => T0 + 1_000 * SECOND;
  const memory = memoryOf([jail], 86_400);
  const restoring = new Restoring({
    ...{ bans, now, newId, log },
    settings: {
      allow: () => Promise.reject(new Error("nothing is allowed")),
      write: () => Promise.reject(new Error("nothing is set")),
      restore: () => Promise.reject(new Error("nothing is on record")),
      declareReady: () => Promise.resolve(void (state.isReady = true)),
    },
    history: {
      allowlist: () => Promise.resolve([]),
      operatorSettings: () => Promise.resolve([]),
      async *bansToRestore() {
        for (const ban of recorded) yield await Promise.resolve([ban]);
      },
      bansOf: (addresses) =>
        Promise.resolve(recorded.filter(({ address }) => addresses.includes(address))),
      recordedRevision: () => Promise.resolve(state.recordedRevision),
      stalled: () => (state.isStalled ? "the disk is full" : undefined),
    },
    policy: () => ({ jails: [jail], keptSeconds: () => 86_400 }),
    newChange: createChanges({ jails: [jail], bans, memory, now, newId }),
  });
  return { state, restoring, put, ban: (address: Address) => bans.get("dovecot", address) };
}

test("missing bans are written, those decided meanwhile are corrected, and then agents are told", async () => {
  const earlier = banOf(A!, { state: "expired", changedAt: T0 + 600 * SECOND, offence: 2 });
  const [startsAt, until] = [T0 + 900 * SECOND, T0 + 1_500 * SECOND];
  const when = { startsAt, until, changedAt: startsAt, countedUntil: startsAt };
  const other = banOf(B!, { until: null });
  const { state, restoring, ban } = start({
    present: [banOf(A!, when), banOf(C!, when)],
    recorded: [earlier, other],
  });
  state.recordedRevision = 2;
  assert.equal(await restoring.restoreRecorded("bucket", false), true);
  assert.deepEqual(ban(B!), other);
  assert.equal(ban(A!)?.offence, 3);
  assert.equal(ban(A!)?.until, startsAt + 2_400 * SECOND);
  assert.equal(ban(C!)?.until, until);
  assert.equal(state.isReady, true);
});

test("the record is read when it has what the bucket had at first, or cannot have it", async () => {
  const { state, restoring, ban } = start({ present: [banOf(A!)], recorded: [banOf(B!)] });
  assert.equal(await restoring.restoreRecorded("bucket", false), false);
  assert.deepEqual([ban(B!), state.isReady], [undefined, false]);
  state.isStalled = true;
  assert.equal(await restoring.restoreRecorded("bucket", false), true);
  assert.deepEqual([ban(B!)?.state, state.isReady], ["active", true]);
});

test("a ban is corrected only by a record that has its last change", async () => {
  const decided = banOf(A!);
  const recorded = [decided];
  const { state, restoring, put, ban } = start({ present: [decided], recorded });
  assert.equal(await restoring.restoreRecorded("bucket", false), false);

  const at = { startsAt: T0 + SECOND, changedAt: T0 + SECOND };
  const byAlice = banOf(A!, { ...at, by: "operator alice", evidence: [], countedUntil: null });
  put(byAlice); // the ban before it was lifted, which is not on record yet
  state.recordedRevision = 1;
  assert.equal(await restoring.restoreRecorded("bucket", false), false);
  assert.deepEqual([ban(A!), state.isReady], [byAlice, false]);

  recorded.splice(0, 1, { ...decided, state: "lifted", changedAt: T0 + 500 }, byAlice);
  state.recordedRevision = 2;
  assert.equal(await restoring.restoreRecorded("bucket", false), true);
  assert.deepEqual([ban(A!)?.startsAt, state.isReady], [byAlice.startsAt, true]);
});

test("what is written once nothing is missing does not wait for the record", async () => {
  const decided = banOf(A!);
  const recorded = [decided];
  const { state, restoring, put, ban } = start({ present: [decided], recorded });
  assert.equal(await restoring.restoreRecorded("bucket", false), false);
  put({ ...decided, change: newId() });
  state.recordedRevision = 1;
  assert.equal(await restoring.restoreRecorded("bucket", false), false);

  recorded.push(banOf(C!));
  const later = banOf(C!, { startsAt: T0 + SECOND, changedAt: T0 + SECOND });
  put(later);
  state.recordedRevision = 2;
  assert.equal(await restoring.restoreRecorded("bucket", false), true);
  assert.deepEqual([ban(C!), state.isReady], [later, true]);
});

test("what the coordinator itself remembers corrects a ban that was decided since", async () => {
  const { state, restoring, ban } = start({
    present: [banOf(A!, { startsAt: T0 + SECOND, changedAt: T0 + SECOND })],
    recorded: [],
  });
  state.tampered = [banOf(A!, { until: null, by: "operator alice" }), banOf(B!)];
  await restoring.restoreTampered();
  assert.deepEqual([ban(A!)?.until, ban(A!)?.by], [null, "operator alice"]);
  assert.equal(ban(B!)?.state, "active");
});
