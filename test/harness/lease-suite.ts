/** How the lease behaves, run with the bucket of a real nats-server and with the fake one. */
import assert from "node:assert/strict";
import { Candidate } from "../../services/coordinator/buckets/lease.ts";
import {
  LeaseTakenError,
  type LeaseBucket,
} from "../../services/coordinator/buckets/lease-bucket.ts";
import { createLog } from "../../services/process/log.ts";
import type { SpoilableBucket } from "./fake-lease-bucket.ts";

const log = createLog("test", "silent");

type Fault = "none" | "refused" | "stored without an answer" | "away";

/** Coordinators that share a bucket and a clock that only the test moves. */
class Contest {
  readonly bucket: SpoilableBucket;
  readonly taken: string[] = [];
  nowMs = 0;

  constructor(bucket: SpoilableBucket) {
    this.bucket = bucket;
  }

  /** `faults.next` is what becomes of this coordinator's requests from then on. */
  candidate(id: string): { candidate: Candidate; faults: { next: Fault } } {
    const faults: { next: Fault } = { next: "none" };
    const candidate = new Candidate({
      bucket: withFaults(this.bucket, faults),
      id,
      log,
      onTaken: () => this.taken.push(id),
      now: () => this.nowMs,
    });
    return { candidate, faults };
  }
}

function withFaults(bucket: LeaseBucket, faults: { next: Fault }): LeaseBucket {
  return {
    async read() {
      if (faults.next === "away") throw new Error("NATS is away");
      return bucket.read();
    },
    async write(claim, replaced) {
      if (faults.next === "away") throw new Error("NATS is away");
      if (faults.next === "refused") throw new Error("no space left");
      const revision = await bucket.write(claim, replaced);
      if (faults.next === "stored without an answer") throw new Error("no answer");
      return revision;
    },
    erase: (replaced) => bucket.erase(replaced),
  };
}

const CLAIM = { owner: "a", takenAt: 1_700_000_000_000 };

export const LEASE_SUITE: readonly [string, (contest: Contest) => Promise<void>][] = [
  [
    "the bucket takes a claim only in place of the revision that it names",
    async ({ bucket }) => {
      assert.deepEqual(await bucket.read(), { state: "free", revision: 0 });
      const first = await bucket.write(CLAIM, 0);
      await assert.rejects(bucket.write({ ...CLAIM, owner: "b" }, 0), LeaseTakenError);
      await assert.rejects(bucket.erase(first + 1), LeaseTakenError);
      assert.deepEqual(await bucket.read(), { state: "claimed", revision: first, claim: CLAIM });
    },
  ],
  [
    "a lease that was erased is free, and has a revision that the next claim replaces",
    async ({ bucket }) => {
      await bucket.erase(await bucket.write(CLAIM, 0));
      const { state, revision } = await bucket.read();
      assert.equal(state, "free");
      assert.ok((await bucket.write(CLAIM, revision)) > revision);
    },
  ],
  [
    "of two coordinators one leads, and both know which",
    async (contest) => {
      const { candidate: a } = contest.candidate("a");
      const { candidate: b } = contest.candidate("b");
      await Promise.all([a.round(), b.round()]);
      await Promise.all([a.round(), b.round()]);
      assert.deepEqual([a.isLeader(), b.isLeader()].sort(), [false, true]);
      assert.equal(contest.taken.length, 1);
      assert.deepEqual([a.holder(), b.holder()], [contest.taken[0], contest.taken[0]]);
    },
  ],
  [
    "a lease that is renewed is nobody else's, however long",
    async (contest) => {
      const { candidate: a } = contest.candidate("a");
      const { candidate: b } = contest.candidate("b");
      for (let round = 0; round < 10; round += 1) {
        await a.round();
        await b.round();
        assert.deepEqual([a.isLeader(), b.isLeader()], [true, false]);
        contest.nowMs += 1_000;
      }
    },
  ],
  [
    "a leader that cannot renew gives up after 3 s, and the next one takes over after 4 s",
    async (contest) => {
      const { candidate: a, faults } = contest.candidate("a");
      const { candidate: b } = contest.candidate("b");
      await a.round();
      await b.round();
      faults.next = "away";
      contest.nowMs = 2_999;
      await a.round();
      assert.equal(a.isLeader(), true);
      contest.nowMs = 3_000;
      assert.equal(a.isLeader(), false);
      await a.round();
      assert.equal(a.holder(), null);
      assert.equal(a.trouble(), "NATS is away");
      contest.nowMs = 3_999;
      await b.round();
      assert.equal(b.isLeader(), false);
      contest.nowMs = 4_000;
      await b.round();
      assert.equal(b.isLeader(), true);
    },
  ],
  [
    "a lease that is given back is taken at once, and its former leader takes no other",
    async (contest) => {
      const { candidate: a } = contest.candidate("a");
      const { candidate: b } = contest.candidate("b");
      await a.round();
      await b.round();
      await a.resign(() => true);
      await a.round();
      await b.round();
      assert.deepEqual(contest.taken, ["a", "b"]);
    },
  ],
  [
    "a lease that cannot be given back stands until it runs out",
    async (contest) => {
      const { candidate: a } = contest.candidate("a");
      const { candidate: b } = contest.candidate("b");
      await a.round();
      await a.resign(() => false);
      await b.round();
      assert.equal(b.holder(), "a");
    },
  ],
  [
    "a claim that NATS has stored without an answer is known again, and nothing is waited for",
    async (contest) => {
      const { candidate: a, faults } = contest.candidate("a");
      faults.next = "stored without an answer";
      await a.round();
      assert.equal(a.isLeader(), false);
      faults.next = "none";
      await a.round();
      assert.equal(a.isLeader(), true);
    },
  ],
  [
    "a renewal that NATS has stored without an answer loses no lease, and proves no renewal",
    async (contest) => {
      const { candidate: a, faults } = contest.candidate("a");
      await a.round();
      faults.next = "stored without an answer";
      contest.nowMs = 1_000;
      await a.round();
      assert.equal(a.isLeader(), true);
      contest.nowMs = 3_000;
      assert.equal(a.isLeader(), false);
      contest.nowMs = 2_000;
      faults.next = "none";
      await a.round();
      contest.nowMs = 3_000;
      assert.equal(a.isLeader(), true);
      assert.deepEqual(contest.taken, ["a"]);
    },
  ],
  [
    "a leader whose lease another coordinator has taken no longer leads",
    async (contest) => {
      const { candidate: a } = contest.candidate("a");
      await a.round();
      const { revision } = await contest.bucket.read();
      await contest.bucket.write({ ...CLAIM, owner: "b" }, revision);
      await a.round();
      assert.equal(a.isLeader(), false);
      assert.equal(a.trouble(), undefined);
      await a.round();
      assert.equal(a.holder(), "b");
    },
  ],
  [
    "another start of the same coordinator is another coordinator",
    async (contest) => {
      await contest.bucket.write(CLAIM, 0);
      const { candidate: a } = contest.candidate("a");
      await a.round();
      assert.equal(a.isLeader(), false);
    },
  ],
  [
    "a lease that nobody can read is free",
    async (contest) => {
      await contest.bucket.spoil();
      const { candidate: a } = contest.candidate("a");
      await a.round();
      assert.equal(a.isLeader(), true);
    },
  ],
  [
    "a full store is the trouble until NATS stores the lease",
    async (contest) => {
      const { candidate: a, faults } = contest.candidate("a");
      faults.next = "refused";
      await a.round();
      assert.equal(a.trouble(), "no space left");
      faults.next = "none";
      await a.round();
      assert.equal(a.trouble(), undefined);
    },
  ],
];

export const contestFor = (bucket: SpoilableBucket): Contest => new Contest(bucket);
