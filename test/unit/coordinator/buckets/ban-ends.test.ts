import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BanEnds } from "../../../../services/coordinator/buckets/ban-ends.ts";
import { expireBan, isOver, rememberedMs } from "../../../../services/policy/ban-lifecycle.ts";
import type { Ban } from "../../../../services/wire/ban.ts";

const instant = fc.nat(100).map((seconds) => seconds * 1_000);
/** Few of each, so that bans share their instants. */
const ban = fc.record({
  jail: fc.constantFrom("dovecot", "smtp"),
  address: fc.nat(200).map((byte) => `192.0.2.${byte}`),
  state: fc.constantFrom("active", "held", "shadow", "lifted", "expired"),
  until: fc.option(instant),
  changedAt: instant,
  immuneUntil: fc.option(instant),
  spared: fc.option(fc.constant({ state: "active", by: "alice", reason: "" }), { nil: undefined }),
}) as unknown as fc.Arbitrary<Ban>;
const someBans = fc.uniqueArray(fc.record({ ban, isRemoved: fc.boolean() }), {
  selector: (each) => `${each.ban.jail} ${each.ban.address}`,
  maxLength: 2_000,
  size: "max",
});
const LONGEST_FINDTIME = 5;
const keptSeconds = (jail: string) => (jail === "smtp" ? 40 : 2);

test("what has ended and what may be forgotten is found as if each ban was looked at", () => {
  fc.assert(
    fc.property(someBans, fc.nat(160_000), (given, now) => {
      const ends = new BanEnds();
      for (const each of given) ends.add(each.ban);
      for (const each of given) if (each.isRemoved) ends.remove(each.ban);
      const left = given.filter(({ isRemoved }) => !isRemoved).map((each) => each.ban);
      const isForgettable = (each: Ban) =>
        isOver(each, now, LONGEST_FINDTIME, keptSeconds(each.jail));
      const forgetBefore = (jail: string) =>
        now - rememberedMs(LONGEST_FINDTIME, keptSeconds(jail));

      const overdue = [...ends.overdueAt(now)];
      assert.deepEqual(
        new Set(overdue),
        new Set(left.filter((each) => expireBan(each, { now, id: "" }))),
      );
      assert.deepEqual(
        overdue.map(({ until }) => until),
        overdue.map(({ until }) => until ?? 0).sort((a, b) => a - b),
      );
      const atRest = [...ends.atRestBefore(forgetBefore)];
      assert.deepEqual(new Set(atRest.filter(isForgettable)), new Set(left.filter(isForgettable)));
      const others = atRest.filter((each) => !isForgettable(each));
      assert.ok(
        others.every(({ spared }) => spared),
        "the others come back one day",
      );
    }),
    { numRuns: 30 },
  );
});
