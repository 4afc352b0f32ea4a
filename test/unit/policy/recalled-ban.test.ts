import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  banByOperator,
  banForOffence,
  expireBan,
  liftBan,
} from "../../../services/policy/ban-lifecycle.ts";
import { memoryOf, type Change } from "../../../services/policy/ban-memory.ts";
import { recallEarlier, type RecordedBans } from "../../../services/policy/recalled-ban.ts";
import type { Offence } from "../../../services/policy/sliding-window.ts";
import { parseAddress } from "../../../services/wire/address.ts";
import { decodeBan, encodeBan, isInForce, type Ban } from "../../../services/wire/ban.ts";
import { banKey } from "../../../services/wire/subjects.ts";
import type { Jail } from "../../../services/wire/settings.ts";

const T0 = 1_790_000_000_000;
const SECOND = 1_000;
const DAY = 86_400;
const BANTIME = 600;
const address = parseAddress("198.51.100.7")!;
const increment = { factor: 1, multipliers: [], maxtime: 40_000, overalljails: false };
const jail: Jail = {
  ...{ v: 1, name: "dovecot", ports: [143], maxretry: 5, findtime: 600, bantime: BANTIME },
  increment,
};
const recidive: Jail = {
  ...{ v: 1, name: "recidive", ports: [143], source: "bans" },
  ...{ maxretry: 5, findtime: DAY, bantime: DAY },
};
const memory = memoryOf([jail, recidive], DAY);

let changes = 0;
const changeAt = (now: number): Change => {
  changes += 1;
  return { now, id: `00000000-0000-4000-8000-${String(changes).padStart(12, "0")}`, memory };
};
const offenceAt = (at: number): Offence => {
  return { address, at, since: at - 1, hosts: new Map([["mx1", 5]]) };
};
const bannedAt = (at: number, present?: Ban, of = jail) =>
  banForOffence(present, of, offenceAt(at), changeAt(at))!;
const orderedAt = (now: number, seconds: number | null, present?: Ban, replace = false) => {
  const order = { jail, address, seconds, reason: "abuse", by: "operator alice", replace };
  return banByOperator(present, order, changeAt(now));
};
const liftedAt = (now: number, present: Ban, immunity: number) =>
  liftBan(present, { by: "operator bob", reason: "mistake", immunity }, changeAt(now));
const expired = (ban: Ban) => expireBan(ban, changeAt(ban.until!))!;
const recordOf = (...bans: Ban[]): RecordedBans => new Map([["dovecot", bans]]);
const recalled = (ban: Ban, record: RecordedBans, of = jail) =>
  recallEarlier(ban, record, of, changeAt(ban.changedAt + SECOND));
const secondsOf = ({ until, countedUntil }: Ban) => (until! - countedUntil!) / SECOND;

describe("a ban that was decided before the bans before it were known", () => {
  const first = expired(bannedAt(T0));
  const second = expired(bannedAt(first.until!, first));
  const later = second.until! + 60 * SECOND;

  test("gets its offence number and length, and remembers when the others began", () => {
    const unaware = bannedAt(later);
    assert.deepEqual([unaware.offence, secondsOf(unaware)], [1, 600]);
    const aware = recalled(unaware, recordOf(first, second))!;
    assert.deepEqual([aware.offence, secondsOf(aware)], [3, 2400]);
    assert.deepEqual(aware.earlier, [first.startsAt, second.startsAt]);
    assert.match(aware.reason, / within 1s, offence 3: 40m$/);
    assert.deepEqual(decodeBan(encodeBan(aware), banKey("dovecot", address)), aware);
    assert.equal(recalled(aware, recordOf(first, second)), undefined);
    assert.equal(recalled(aware, recordOf(first, second, unaware)), undefined);
  });

  test("counts after another one that was decided so, and that has ended", () => {
    const third = expired(bannedAt(later));
    const fourth = bannedAt(third.until! + SECOND, third);
    assert.equal(fourth.offence, 2);
    const aware = recalled(fourth, recordOf(first, second, third, fourth))!;
    assert.deepEqual([aware.offence, secondsOf(aware)], [4, 4800]);
    assert.deepEqual(aware.earlier, [first.startsAt, second.startsAt, third.startsAt]);
    // Many of them are no sign that the first ones were known.
    const fifth = bannedAt(expired(fourth).until! + SECOND, expired(fourth));
    assert.equal(recalled(fifth, recordOf(first, second, third, expired(fourth)))!.offence, 5);
  });

  test("keeps its number when its time is over, and is not in force again", () => {
    const over = expired(bannedAt(later));
    const aware = recalled(over, recordOf(first, second))!;
    assert.deepEqual([aware.state, aware.offence, aware.until], ["expired", 3, over.until]);
    assert.equal(bannedAt(over.until! + SECOND, aware).offence, 4);
  });

  test("is no longer than before where the jail's bans do not grow", () => {
    const constant: Jail = { ...jail };
    delete constant.increment;
    const aware = recalled(bannedAt(later), recordOf(first, second), constant)!;
    assert.deepEqual([aware.offence, secondsOf(aware)], [3, 600]);
    assert.doesNotMatch(aware.reason, /offence/);
  });

  test("grows also while it is held, or a shadow", () => {
    for (const state of ["held", "shadow"] as const) {
      const unaware: Ban = { ...bannedAt(later), state, held: "too many bans" };
      const aware = recalled(unaware, recordOf(first, second))!;
      assert.deepEqual([aware.state, secondsOf(aware)], [state, 2400]);
    }
  });

  test("grows by bans in other jails where they count", () => {
    const overall: Jail = { ...jail, increment: { ...increment, overalljails: true } };
    const elsewhere = new Map([["submission", [first, second]]]);
    const unaware = bannedAt(later);
    const aware = recalled(unaware, elsewhere, overall)!;
    assert.deepEqual([aware.offence, secondsOf(aware)], [1, 2400]);
    assert.equal(recalled(aware, elsewhere, overall), undefined);
    assert.equal(recalled(unaware, elsewhere), undefined);
    const after = { ...second, startsAt: later + SECOND, changedAt: later + SECOND };
    assert.equal(secondsOf(recalled(unaware, new Map([["x", [first, after]]]), overall)!), 1200);
  });

  test("extends a ban that was in force, and the longest wins", () => {
    const forEver = orderedAt(T0, null)!;
    const kept = recalled(bannedAt(T0 + SECOND), recordOf(forEver))!;
    assert.deepEqual([kept.until, kept.by, kept.startsAt], [null, "operator alice", T0]);
    const short = orderedAt(T0, 60)!;
    const extended = recalled(bannedAt(T0 + SECOND), recordOf(short))!;
    assert.deepEqual(
      [extended.until, extended.by, extended.startsAt, extended.offence],
      [T0 + 601 * SECOND, "decider", T0, 1],
    );
    // The record shows two bans then, and they were one.
    const next = bannedAt(T0 + 700 * SECOND, expired(extended));
    assert.equal(next.offence, 2);
    assert.equal(recalled(next, recordOf(expired(extended), bannedAt(T0 + SECOND))), undefined);
  });

  test("ends what it has replaced when an operator has replaced it", () => {
    const forEver = orderedAt(T0, null)!;
    const replaced = orderedAt(T0 + SECOND, 60, undefined, true)!;
    const aware = recalled(replaced, recordOf(forEver))!;
    assert.deepEqual([aware.until, aware.startsAt], [T0 + 61 * SECOND, T0]);
    assert.equal(recalled(aware, recordOf(forEver, replaced)), undefined);
    const shorter = orderedAt(T0 + SECOND, 60)!;
    assert.equal(recalled(shorter, recordOf(forEver))!.until, null);
  });

  test("is not given for failures that an operator has forgiven, or that were answered", () => {
    const lifted = liftedAt(T0 + SECOND, bannedAt(T0), 3_600);
    const unaware = bannedAt(T0 + 60 * SECOND);
    const aware = recalled(unaware, recordOf(lifted))!;
    assert.deepEqual([aware.state, aware.immuneUntil], ["lifted", lifted.immuneUntil]);
    assert.equal(recalled(aware, recordOf(lifted, unaware)), undefined);
    assert.equal(recalled(orderedAt(T0 + 60 * SECOND, 60)!, recordOf(lifted)), undefined);
    const again = banForOffence(undefined, jail, offenceAt(T0), changeAt(first.until! - SECOND))!;
    assert.equal(recalled(again, recordOf(first))!.state, "expired");
  });

  test("is in force on every host that either ban is for", () => {
    const alone: Ban = { ...bannedAt(T0), hosts: ["mx1"] };
    const other: Ban = { ...bannedAt(T0 + SECOND), hosts: ["mx2"] };
    assert.deepEqual(recalled(other, recordOf(alone))!.hosts, ["mx1", "mx2"]);
    assert.equal(recalled(other, recordOf(bannedAt(T0)))!.hosts, undefined);
    const everywhere = orderedAt(T0 + SECOND, 60)!;
    const both = recalled(everywhere, recordOf(alone))!;
    assert.deepEqual([both.hosts, both.until], [undefined, alone.until]);
  });
});

type Event =
  | { type: "offence" }
  | { type: "ban"; seconds: number | null; replace: boolean }
  | { type: "unban"; immunity: number };

const offence: fc.Arbitrary<Event> = fc.constant({ type: "offence" });
const order: fc.Arbitrary<Event> = fc.record({
  type: fc.constant("ban"),
  seconds: fc.constantFrom(60, 700, 5_000, null),
  replace: fc.boolean(),
});
const unban: fc.Arbitrary<Event> = fc.record({
  type: fc.constant("unban"),
  immunity: fc.constantFrom(0, 300, 3_000),
});
const moments = (event: fc.Arbitrary<Event>, passes: number, minLength = 0) =>
  fc.array(fc.record({ passes: fc.integer({ min: 1, max: passes }), event }), {
    minLength,
    maxLength: 8,
  });

/** The bucket's entry, and the record of all its bans. */
function createEntry() {
  let present: Ban | undefined;
  const record = new Map<number, Ban>();
  const put = (ban: Ban | undefined) => {
    if (!ban) return;
    present = ban;
    record.set(ban.startsAt, ban);
  };
  return {
    present: () => present,
    put,
    record: () => recordOf(...[...record.values()].sort((a, b) => a.startsAt - b.startsAt)),
    lose: () => (present = undefined),
    tell(event: Event, now: number) {
      if (present) put(expireBan(present, changeAt(now)));
      if (event.type === "offence") {
        put(banForOffence(present, jail, offenceAt(now), changeAt(now)));
      } else if (event.type === "ban") {
        put(orderedAt(now, event.seconds, present, event.replace));
      } else if (present && isInForce(present, now)) {
        put(liftedAt(now, present, event.immunity));
      }
    },
  };
}

const facts = (ban: Ban | undefined) => {
  if (!ban) return undefined;
  const { state, until, offence: number, earlier, immuneUntil } = ban;
  return { state, until, number, earlier, immuneUntil };
};

test("with the memory comes what a coordinator would have decided that never lost it", () => {
  fc.assert(
    fc.property(
      moments(fc.oneof(offence, offence, order, unban), 2_000),
      // So quickly that no ban ends before the memory is back.
      fc.oneof(
        moments(offence, 9, 1),
        order.map((event) => [{ passes: 1, event }]),
      ),
      (before, during) => {
        const [whole, lossy] = [createEntry(), createEntry()];
        let now = T0;
        for (const { passes, event } of before) {
          now += passes * SECOND;
          for (const entry of [whole, lossy]) entry.tell(event, now);
        }
        // An extended ban looks as if an operator's ban had ended the immunity before it.
        fc.pre(lossy.present()?.state !== "lifted" || during.length < 2);
        lossy.lose();
        for (const { passes, event } of during) {
          now += passes * SECOND;
          for (const entry of [whole, lossy]) entry.tell(event, now);
        }
        const record = lossy.record();
        const decided = lossy.present();
        const right = decided && recallEarlier(decided, record, jail, changeAt(now));
        lossy.put(right);
        assert.deepEqual(facts(lossy.present()), facts(whole.present()));
        const same = lossy.present();
        assert.equal(same && recallEarlier(same, lossy.record(), jail, changeAt(now)), undefined);
      },
    ),
    { numRuns: 500 },
  );
});
