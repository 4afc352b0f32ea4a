import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BanCensus } from "../../../../services/coordinator/buckets/ban-census.ts";
import { isDue, type Ban } from "../../../../services/wire/ban.ts";

const states = ["active", "held", "shadow", "lifted", "expired"] as const;
const HOUR_MS = 3_600_000;
/** Ends on whole seconds, as far as three hours away. */
const ban = fc.record({
  state: fc.constantFrom(...states),
  jail: fc.constantFrom("dovecot", "smtp"),
  until: fc.option(fc.nat(3 * 3_600).map((seconds) => seconds * 1_000)),
});

test("bans are counted as if each of them was looked at, at any time", () => {
  const all = fc.array(fc.record({ ban, isRemoved: fc.boolean() }));
  fc.assert(
    fc.property(all, fc.nat(4 * HOUR_MS), (given, now) => {
      const census = new BanCensus();
      for (const each of given) census.add(each.ban as Ban);
      for (const each of given) if (each.isRemoved) census.remove(each.ban as Ban);
      const left = given.filter(({ isRemoved }) => !isRemoved).map((each) => each.ban);
      for (const { state, jail, count } of census.countDue(now)) {
        const found = left.filter((each) => each.state === state && each.jail === jail);
        assert.equal(count, found.filter((each) => isDue(each, now)).length);
      }
      const counted = census.countDue(now).reduce((sum, { count }) => sum + count, 0);
      assert.equal(counted, left.filter((each) => isDue(each, now)).length);
    }),
  );
});
