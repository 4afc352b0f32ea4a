import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as everythingDone } from "node:timers/promises";
import type { Decider } from "../../../../services/coordinator/decide/decider.ts";
import { createDeciding } from "../../../../services/coordinator/decide/deciding.ts";
import { FailureCounts } from "../../../../services/coordinator/decide/failure-counts.ts";
import { policyOf, type Policy } from "../../../../services/coordinator/decide/policy.ts";
import { coordinatorConfig } from "../../../../services/coordinator/coordinator-config.ts";

const policyWith = (maxretry: number): Policy =>
  policyOf(coordinatorConfig.parse({ jails: { dovecot: { maxretry } } }));

function setUp() {
  const made: {
    policy: Policy;
    isInUse: () => boolean;
    counters: { failures: FailureCounts; undecodable: number; tracked(): number; due(): number };
    heard: string[];
    isFollowing: boolean;
    catchUp: () => void;
  }[] = [];
  const replaced: Policy[] = [];
  const deciding = createDeciding({
    policy: policyWith(5),
    create(policy, isInUse) {
      const heard: string[] = [];
      const failures = new FailureCounts();
      const counters = { failures, undecodable: 0, tracked: () => 0, due: () => 0 };
      made.push({ policy, isInUse, counters, heard, isFollowing: true, catchUp: () => {} });
      const decider: Decider = {
        take: () => {},
        observe: () => heard.push("ban"),
        forgetHost: (host) => heard.push(host),
        submitDue: () => heard.push("submit"),
        sweep: () => heard.push("sweep"),
        counters,
      };
      return decider;
    },
    startFeed() {
      const own = made.at(-1)!;
      let isCaughtUp = false;
      const caughtUp = new Promise<void>((resolve) => {
        own.catchUp = () => {
          isCaughtUp = true;
          resolve();
        };
      });
      return {
        caughtUp,
        isCaughtUp: () => isCaughtUp,
        takenUpTo: () => 0,
        stop: () => (own.isFollowing = false),
      };
    },
    onReplaced: (policy) => replaced.push(policy),
  });
  return { deciding, made, replaced };
}

test("the old policy decides until every failure is counted by the new one", async () => {
  const { deciding, made, replaced } = setUp();
  const [old] = made;
  old!.catchUp();
  old!.counters.failures.add({ jail: "dovecot", host: "mx1", attempts: 100 });
  const wanted = policyWith(3);
  const done = deciding.replace(wanted);
  const next = made[1]!;
  await everythingDone();
  assert.deepEqual([old!.isInUse(), next.isInUse()], [true, false]);
  assert.equal(deciding.isCaughtUp(), true);
  deciding.forgetHost("mx1");
  deciding.submitDue();
  assert.deepEqual([old!.heard, next.heard], [["mx1", "submit"], ["mx1"]]);
  next.counters.failures.add({ jail: "dovecot", host: "mx1", attempts: 60 });
  next.catchUp();
  await done;
  assert.deepEqual([old!.isInUse(), next.isInUse()], [false, true]);
  assert.deepEqual([old!.isFollowing, next.isFollowing], [false, true]);
  assert.deepEqual([deciding.policy(), replaced], [wanted, [wanted]]);
  assert.equal(next.heard.at(-1), "submit", "what is due by the new policy is written");
  assert.equal(deciding.counters.failures.total, 100, "no failure is counted twice");
  next.counters.failures.add({ jail: "dovecot", host: "mx2", attempts: 1 });
  assert.equal(deciding.counters.failures.total, 101);
  assert.deepEqual(
    [...deciding.counters.failures.entries()],
    [
      { jail: "dovecot", host: "mx1", attempts: 100 },
      { jail: "dovecot", host: "mx2", attempts: 1 },
    ],
  );
});

test("of two reloads at once the later one counts, whichever has caught up first", async () => {
  const { deciding, made } = setUp();
  void deciding.replace(policyWith(3));
  const wanted = policyWith(4);
  const done = deciding.replace(wanted);
  assert.equal(made[1]!.isFollowing, false);
  made[1]!.catchUp();
  await everythingDone();
  assert.deepEqual([made[0]!.isInUse(), made[1]!.isInUse()], [true, false]);
  made[2]!.catchUp();
  await done;
  assert.equal(deciding.policy(), wanted);
  assert.deepEqual([made[1]!.isInUse(), made[2]!.isInUse()], [false, true]);
});
