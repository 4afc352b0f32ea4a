import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { banByOperator, banForOffence, liftBan } from "../../../services/policy/ban-lifecycle.ts";
import { memoryOf } from "../../../services/policy/ban-memory.ts";
import { findRepeatedBans } from "../../../services/policy/repeated-bans.ts";
import { parseAddress } from "../../../services/wire/address.ts";
import { decodeBan, encodeBan, isInForce, type Ban } from "../../../services/wire/ban.ts";
import type { Jail } from "../../../services/wire/settings.ts";
import { banKey } from "../../../services/wire/subjects.ts";
import { JAIL } from "../../harness/jail.ts";

const T0 = 1_790_000_000_000;
const SECOND = 1_000;
const address = parseAddress("198.51.100.7")!;
const id = "2c3a4c9e-31a6-4b9e-a4c5-6f3a2d1b0c9d";
const dovecot: Jail = { ...JAIL, bantime: 10 };
const submission: Jail = { ...dovecot, name: "submission" };
const recidive: Jail = {
  ...JAIL,
  ...{ name: "recidive", source: "bans", ports: [] },
  ...{ maxretry: 3, findtime: 1000, bantime: 604_800 },
};
const memory = memoryOf([dovecot, submission, recidive], 86_400);

const offenceAt = (at: number) => ({ address, at, since: at, hosts: new Map([["mx1", 5]]) });
const bannedAt = (at: number, present?: Ban, jail = dovecot) =>
  banForOffence(present, jail, offenceAt(at), { now: at, id, memory });
const liftedAt = (now: number, ban: Ban) =>
  liftBan(ban, { by: "operator", reason: "", immunity: 0 }, { now, id });

/** Bans of one jail, one after the other, at seconds after T0. */
function bansAt(seconds: readonly number[], jail = dovecot): Ban {
  let present: Ban | undefined;
  for (const second of seconds) present = bannedAt(T0 + second * SECOND, present, jail) ?? present;
  return present ?? assert.fail("no ban");
}

describe("a jail that counts bans", () => {
  test("bans for maxretry bans within findtime, in whatever jails", () => {
    const bans = [bansAt([0, 200]), bansAt([100], submission)];
    const offence = findRepeatedBans(bans, recidive, -Infinity);
    assert.equal(offence?.at, T0 + 200 * SECOND);
    assert.equal(offence.since, T0);
    assert.deepEqual(
      [...(offence.bans ?? [])],
      [
        ["dovecot", 2],
        ["submission", 1],
      ],
    );
    const ban = banForOffence(undefined, recidive, offence, { now: offence.at, id, memory });
    assert.equal(ban?.reason, "3 bans in 2 jails within 3m 20s");
    assert.equal(ban.until, offence.at + 604_800 * SECOND);
    assert.deepEqual(decodeBan(encodeBan(ban), banKey("recidive", address)), ban);
  });

  test("does not ban for fewer, or for bans further apart", () => {
    assert.equal(findRepeatedBans([bansAt([0, 200])], recidive, -Infinity), undefined);
    assert.equal(findRepeatedBans([bansAt([0, 200, 1000])], recidive, -Infinity), undefined);
    assert.ok(findRepeatedBans([bansAt([0, 200, 999])], recidive, -Infinity));
  });

  test("counts no ban that was extended twice, none that was lifted and none of an operator", () => {
    assert.equal(findRepeatedBans([bansAt([0, 5, 9])], recidive, -Infinity), undefined);
    const lifted = liftedAt(T0 + 205 * SECOND, bansAt([0, 100, 200]));
    assert.equal(findRepeatedBans([lifted], recidive, -Infinity), undefined);
    const again = bannedAt(T0 + 300 * SECOND, lifted)!;
    assert.ok(findRepeatedBans([again], recidive, -Infinity));
    const order = { jail: dovecot, address, seconds: 60, reason: "", by: "me", replace: false };
    const change = { now: T0 + 300 * SECOND, id, memory };
    const byOperator = banByOperator(bansAt([0, 200]), order, change)!;
    assert.equal(findRepeatedBans([byOperator], recidive, -Infinity), undefined);
  });

  test("counts no ban again that one of its bans has covered", () => {
    const bans = bansAt([0, 100, 200]);
    assert.equal(findRepeatedBans([bans], recidive, T0 + 200 * SECOND), undefined);
    const more = bansAt([0, 100, 200, 300, 400]);
    assert.equal(findRepeatedBans([more], recidive, T0 + 200 * SECOND), undefined);
    assert.ok(
      findRepeatedBans([bansAt([0, 100, 200, 300, 400, 500])], recidive, T0 + 200 * SECOND),
    );
  });

  test("finds what a model finds that never forgets, whatever the bucket's entries remember", () => {
    const step = fc.record({
      passes: fc.integer({ min: 1, max: 400 }),
      jail: fc.constantFrom(dovecot, submission),
      isLifted: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let now = T0;
        const entries = new Map<string, Ban>();
        /** Every ban that began, by failures, and was not lifted. */
        const starts: { at: number; jail: string }[] = [];
        let covered = -Infinity;
        for (const { passes, jail, isLifted } of steps) {
          now += passes * SECOND;
          const present = entries.get(jail.name);
          if (present && isLifted && isInForce(present, now)) {
            entries.set(jail.name, liftedAt(now, present));
            starts.splice(
              starts.findLastIndex((each) => each.jail === jail.name),
              1,
            );
            continue;
          }
          const ban = bannedAt(now, present, jail);
          if (!ban) continue;
          entries.set(jail.name, ban);
          if (ban.startsAt === now) starts.push({ at: now, jail: jail.name });
          const counted = starts.filter(({ at }) => at > covered && at > now - 1000 * SECOND);
          const found = findRepeatedBans([...entries.values()], recidive, covered);
          const isDue = ban.startsAt === now && counted.length >= 3;
          assert.equal(found?.at === now, isDue);
          if (found) covered = found.at;
        }
      }),
      { numRuns: 500 },
    );
  });
});
