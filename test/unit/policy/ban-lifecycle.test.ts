import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  banByOperator,
  banForOffence,
  expireBan,
  isOver,
  liftBan,
  type OperatorBan,
} from "../../../services/policy/ban-lifecycle.ts";
import { memoryOf, startsOf } from "../../../services/policy/ban-memory.ts";
import { holdBan, releaseBan } from "../../../services/policy/held-ban.ts";
import { createBannedNetworks } from "../../../services/policy/banned-networks.ts";
import { confirmingOffence } from "../../../services/policy/quorum.ts";
import type { Offence } from "../../../services/policy/sliding-window.ts";
import { parseAddress } from "../../../services/wire/address.ts";
import { decodeBan, encodeBan, isInForce, type Ban } from "../../../services/wire/ban.ts";
import type { Jail } from "../../../services/wire/settings.ts";

const T0 = 1_790_000_000_000;
const SECOND = 1_000;
const YEAR = 31_557_600;
const address = parseAddress("198.51.100.7")!;
const id = "2c3a4c9e-31a6-4b9e-a4c5-6f3a2d1b0c9d";

const jail: Jail = {
  ...{ v: 1, name: "dovecot", ports: [110, 995, 143, 993] },
  ...{ maxretry: 5, findtime: 1200, bantime: 1200 },
};
const jailForEver: Jail = { ...jail, bantime: null };

const offenceAt = (at: number): Offence => {
  const hosts = new Map(Object.entries({ mx1: 3, mx2: 2 }));
  return { address, at, since: at - 12 * SECOND, hosts };
};

/** The ban of an offence that is told at once. */
const bannedAt = (at: number, present?: Ban, of = jail) =>
  banForOffence(present, of, offenceAt(at), { now: at, id });

const order = (given: Partial<OperatorBan> = {}): OperatorBan => {
  const words = { reason: "seen elsewhere", by: "operator root@mx1" };
  return { jail, address, seconds: undefined, replace: false, ...words, ...given };
};

const orderedAt = (now: number, given: Partial<OperatorBan>, present?: Ban) =>
  banByOperator(present, order(given), { now, id });

const liftedAt = (now: number, present: Ban, immunity = 1200) =>
  liftBan(present, { by: "operator", reason: "mistake", immunity }, { now, id });

describe("a ban for failures", () => {
  test("lasts for bantime from the last failure, and says what brought it", () => {
    assert.deepEqual(bannedAt(T0), {
      v: 1,
      change: id,
      jail: "dovecot",
      address,
      state: "active",
      startsAt: T0,
      until: T0 + 1200 * SECOND,
      changedAt: T0,
      reason: "5 failures on 2 hosts within 12s",
      offence: 1,
      evidence: [
        { host: "mx1", failures: 3 },
        { host: "mx2", failures: 2 },
      ],
      by: "decider",
      immuneUntil: null,
      countedUntil: T0,
    });
  });

  test("names the version of the policy that decided; an operator's ban names none", () => {
    const policyVersion = "0123abcd";
    const ban = banForOffence(undefined, jail, offenceAt(T0), { now: T0, id, policyVersion })!;
    assert.equal(ban.policyVersion, policyVersion);
    assert.equal(liftedAt(T0 + SECOND, ban).policyVersion, policyVersion);
    const held = holdBan(ban, undefined, "too many bans");
    const released = releaseBan(held, "operator alice", { now: T0 + SECOND, id });
    assert.equal(released?.policyVersion, policyVersion);
    const change = { now: T0, id, policyVersion };
    assert.equal(banByOperator(ban, order({ seconds: null }), change)?.policyVersion, undefined);
  });

  test("is for ever where the jail says so", () => {
    assert.equal(bannedAt(T0, undefined, jailForEver)?.until, null);
  });

  test("is not given when its time is over before it is written", () => {
    const told = (now: number) => banForOffence(undefined, jail, offenceAt(T0), { now, id });
    assert.ok(told(T0 + 1200 * SECOND - 1));
    assert.equal(told(T0 + 1200 * SECOND), undefined);
  });

  test("is not given again for what it was given for, however it has ended", () => {
    const ban = bannedAt(T0)!;
    const lifted = liftedAt(T0 + 1, ban, 0);
    const expired = expireBan(ban, { now: ban.until!, id });
    for (const present of [ban, lifted, expired]) {
      assert.equal(bannedAt(T0, present), undefined);
      const late = banForOffence(present, jailForEver, offenceAt(T0 - 1), { now: T0, id });
      assert.equal(late, undefined);
    }
  });

  test("is extended by a later offence, and begins where it began", () => {
    const ban = bannedAt(T0 + SECOND, bannedAt(T0))!;
    assert.deepEqual([ban.startsAt, ban.until], [T0, T0 + 1201 * SECOND]);
    assert.equal(ban.offence, 1);
  });

  test("does not shorten a longer one", () => {
    const longer = orderedAt(T0, { seconds: 7200 });
    assert.equal(bannedAt(T0 + SECOND, longer), undefined);
    const forEver = orderedAt(T0, { seconds: null });
    assert.equal(bannedAt(T0 + SECOND, forEver), undefined);
    assert.equal(bannedAt(T0 + SECOND, forEver, jailForEver), undefined);
  });

  test("after the first has ended it is the second offence", () => {
    const first = bannedAt(T0)!;
    assert.equal(bannedAt(first.until!, first)?.offence, 2);
    assert.equal(bannedAt(first.until!, first)?.startsAt, first.until);
  });

  test("is not given for failures within the immunity after a ban was lifted", () => {
    const lifted = liftedAt(T0 + 60 * SECOND, bannedAt(T0)!);
    const end = T0 + 60 * SECOND + 1200 * SECOND;
    assert.equal(lifted.immuneUntil, end);
    assert.equal(bannedAt(end - 1, lifted), undefined);
    assert.equal(bannedAt(end + 1, lifted)?.state, "active");
  });
});

describe("a ban by an operator", () => {
  test("lasts for the jail's bantime unless told otherwise", () => {
    assert.equal(orderedAt(T0, {})?.until, T0 + 1200 * SECOND);
    assert.equal(orderedAt(T0, { seconds: 60 })?.until, T0 + 60 * SECOND);
    assert.equal(orderedAt(T0, { seconds: null })?.until, null);
    assert.equal(orderedAt(T0, { jail: jailForEver })?.until, null);
  });

  test("names who commanded it, and has no evidence of its own", () => {
    const ban = orderedAt(T0, {})!;
    assert.deepEqual(
      [ban.by, ban.reason, ban.evidence],
      ["operator root@mx1", "seen elsewhere", []],
    );
    assert.equal(orderedAt(T0 + 1, { seconds: null }, bannedAt(T0))?.evidence.length, 2);
    const basis = { addresses: [{ address, failures: 5 }] };
    const ofNetwork = { ...bannedAt(T0)!, basis };
    const { order: commanded, ...rest } = orderedAt(T0 + 1, { seconds: null }, ofNetwork)!.basis!;
    assert.deepEqual(rest, basis);
    assert.deepEqual(commanded, { until: null, by: "operator root@mx1", reason: "seen elsewhere" });
    assert.equal(orderedAt(ofNetwork.until!, {}, ofNetwork)?.basis, undefined);
  });

  test("changes nothing where a longer one is in force, unless it replaces that", () => {
    const hour = orderedAt(T0, { seconds: 3600 });
    assert.equal(orderedAt(T0, { seconds: 3600 }, hour), undefined);
    assert.equal(orderedAt(T0, { seconds: 60 }, hour), undefined);
    const replaced = orderedAt(T0, { seconds: 60, replace: true }, hour);
    assert.equal(replaced?.until, T0 + 60 * SECOND);
    const forEver = orderedAt(T0, { seconds: null });
    assert.equal(orderedAt(T0, { seconds: 60 }, forEver), undefined);
    assert.equal(orderedAt(T0, { seconds: 60, replace: true }, forEver)?.until, T0 + 60 * SECOND);
  });

  test("wins over an immunity, and over a ban that has ended", () => {
    const lifted = liftedAt(T0 + SECOND, bannedAt(T0)!);
    assert.equal(orderedAt(T0 + 2 * SECOND, {}, lifted)?.state, "active");
    assert.equal(orderedAt(T0 + 2 * SECOND, {}, lifted)?.offence, 1);
    assert.equal(orderedAt(T0 + 1200 * SECOND, {}, bannedAt(T0))?.offence, 2);
  });

  test("does not let old failures count again", () => {
    const ban = orderedAt(T0 + SECOND, { seconds: null }, bannedAt(T0));
    assert.equal(ban?.countedUntil, T0);
  });

  test("that would end after the last year that can be written is for ever", () => {
    for (const seconds of [9_000 * YEAR, 1e300]) {
      const ban = orderedAt(T0, { seconds })!;
      assert.equal(ban.until, null);
      assert.deepEqual(decodeBan(encodeBan(ban), "dovecot.198-51-100-7"), ban);
    }
    const jailOfAges = { ...jail, bantime: 9_000 * YEAR };
    assert.equal(bannedAt(T0, undefined, jailOfAges)?.until, null);
    assert.ok(
      decodeBan(encodeBan(orderedAt(T0, { seconds: 7_000 * YEAR })!), "dovecot.198-51-100-7").until,
    );
    const lifted = liftedAt(T0, bannedAt(T0)!, 1e300);
    assert.deepEqual(decodeBan(encodeBan(lifted), "dovecot.198-51-100-7"), lifted);
  });
});

test("however offences and commands follow each other, no ban ends earlier than it was to end", () => {
  const step = fc.record({
    passes: fc.nat({ max: 300 * SECOND }),
    of: fc.constantFrom(jail, jailForEver, { ...jail, bantime: 30 }),
    seconds: fc.option(fc.integer({ min: 1, max: 4_000 }), { nil: undefined }),
    byOperator: fc.boolean(),
    late: fc.nat({ max: 600 * SECOND }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      let now = T0;
      let present: Ban | undefined;
      for (const { passes, of, seconds, byOperator, late } of steps) {
        now += passes;
        const next = byOperator
          ? orderedAt(now, { jail: of, seconds }, present)
          : banForOffence(present, of, offenceAt(now - late), { now, id });
        if (!next) continue;
        const wasInForce = present !== undefined && isInForce(present, now);
        if (wasInForce) assert.ok((next.until ?? Infinity) > (present?.until ?? Infinity));
        assert.ok(isInForce(next, now));
        assert.ok((next.countedUntil ?? 0) >= (present?.countedUntil ?? 0));
        assert.ok(next.offence >= (present?.offence ?? 1));
        present = next;
      }
    }),
  );
});

test("a ban expires when its time is over, once, and never when it is for ever or lifted", () => {
  const ban = bannedAt(T0)!;
  const at = (now: number, of: Ban) => expireBan(of, { now, id });
  assert.equal(at(ban.until! - 1, ban), undefined);
  const expired = at(ban.until!, ban)!;
  assert.equal(expired.state, "expired");
  assert.equal(at(ban.until! + 1, expired), undefined);
  assert.equal(at(Number.MAX_SAFE_INTEGER, { ...ban, until: null }), undefined);
  assert.equal(at(ban.until!, liftedAt(T0 + 1, ban)), undefined);
});

test("an ended ban may be forgotten only when no failure before its end can come back", () => {
  const ban = bannedAt(T0)!;
  assert.equal(isOver(ban, Number.MAX_SAFE_INTEGER, 1200, 0), false);
  const end = ban.until!;
  const expired = expireBan(ban, { now: end, id })!;
  assert.equal(isOver(expired, end + 2400 * SECOND, 1200, 0), false);
  assert.equal(isOver(expired, end + 2400 * SECOND + 1, 1200, 0), true);
  const lifted = liftedAt(T0, ban, 86_400);
  assert.equal(isOver(lifted, T0 + (86_400 + 2400) * SECOND, 1200, 0), false);
  assert.equal(isOver(lifted, T0 + (86_400 + 2400) * SECOND + 1, 1200, 0), true);
});

describe("bans that grow", () => {
  const DAY = 86_400;
  const increment = { factor: 1, multipliers: [], maxtime: 4000, overalljails: false };
  const growing: Jail = { ...jail, increment };
  const memory = memoryOf([growing], DAY);
  const at = (now: number, present?: Ban, elsewhere = 0) =>
    banForOffence(present, growing, offenceAt(now), { now, id, memory, elsewhere })!;
  const secondsOf = (ban: Ban) => ((ban.until ?? Infinity) - (ban.countedUntil ?? 0)) / SECOND;

  test("last longer each time, up to maxtime, and say so", () => {
    const bans = [at(T0)];
    for (let count = 1; count < 4; count += 1) bans.push(at(bans.at(-1)!.until!, bans.at(-1)));
    assert.deepEqual(bans.map(secondsOf), [1200, 2400, 4000, 4000]);
    assert.deepEqual(
      bans.map(({ offence }) => offence),
      [1, 2, 3, 4],
    );
    assert.equal(bans[0]?.reason, "5 failures on 2 hosts within 12s");
    assert.equal(bans[1]?.reason, "5 failures on 2 hosts within 12s, offence 2: 40m");
  });

  test("an offence during the ban extends it by the same length", () => {
    const second = at(T0 + 1200 * SECOND, at(T0));
    const extended = at(T0 + 1300 * SECOND, second);
    assert.deepEqual([secondsOf(extended), extended.offence], [2400, 2]);
  });

  test("begin anew when the last ban has ended dbpurgeage ago", () => {
    const first = at(T0);
    const end = first.until! + DAY * SECOND;
    assert.equal(at(end - 1, first).offence, 2);
    assert.equal(at(end, first).offence, 1);
  });

  test("what an operator has lifted, or a guard has held, is no offence", () => {
    const second = at(T0 + 1200 * SECOND, at(T0));
    const lifted = liftedAt(T0 + 1300 * SECOND, second, 0);
    assert.equal(at(T0 + 1400 * SECOND, lifted).offence, 2);
    const held: Ban = { ...at(T0), state: "expired", held: "too many bans" };
    assert.equal(at(T0 + 1400 * SECOND, held).offence, 1);
  });

  test("grow by bans elsewhere, too, where all jails count", () => {
    const ban = at(T0, undefined, 1);
    assert.deepEqual([ban.offence, secondsOf(ban)], [1, 2400]);
  });

  test("an operator's ban without a length is as long", () => {
    const first = at(T0);
    const now = first.until!;
    const commanded = banByOperator(first, order({ jail: growing }), { now, id, memory });
    assert.equal(commanded?.until, now + 2400 * SECOND);
  });

  test("rndtime adds what nobody can foresee, and no more than it says", () => {
    const random: Jail = { ...growing, increment: { ...increment, rndtime: 600 } };
    const lengths = ["00000000", "80000000", "ffffffff"].map((start) => {
      const change = { now: T0 + 1200 * SECOND, id: start + id.slice(8), memory };
      return secondsOf(banForOffence(at(T0), random, offenceAt(change.now), change)!);
    });
    assert.deepEqual(lengths, [2400, 2700, 3000]);
  });

  test("an ended ban is kept as long as it counts", () => {
    const expired = expireBan(at(T0), { now: T0 + 1200 * SECOND, id })!;
    const end = T0 + (1200 + DAY) * SECOND;
    assert.equal(isOver(expired, end, 1200, DAY), false);
    assert.equal(isOver(expired, end + 1, 1200, DAY), true);
  });
});

describe("bans of a jail that bans locally first", () => {
  const local: Jail = { ...jail, quorum: "local-first", minhosts: 2 };
  const ofHosts = (at: number, hosts: Record<string, number>): Offence => {
    return { ...offenceAt(at), hosts: new Map(Object.entries(hosts)) };
  };
  const ban = (at: number, hosts: Record<string, number>, present?: Ban) =>
    banForOffence(present, local, ofHosts(at, hosts), { now: at, id });

  test("are for the hosts that have seen failures, and for all when another confirms", () => {
    const alone = ban(T0, { mx1: 5 })!;
    assert.deepEqual(alone.hosts, ["mx1"]);
    assert.equal(ban(T0, { mx1: 4, mx2: 1 })?.hosts, undefined);
    assert.equal(confirmingOffence(alone, "mx1", { at: T0 + 1, attempts: 1 }), undefined);
    assert.equal(confirmingOffence(alone, "mx2", { at: T0, attempts: 1 }), undefined);
    assert.equal(confirmingOffence(alone, "mx2", { at: alone.until!, attempts: 1 }), undefined);
    const offence = confirmingOffence(alone, "mx2", { at: T0 + SECOND, attempts: 1 })!;
    const confirmed = banForOffence(alone, local, offence, { now: T0 + SECOND, id })!;
    assert.equal(confirmed.hosts, undefined);
    assert.deepEqual(confirmed.evidence, [
      { host: "mx1", failures: 5 },
      { host: "mx2", failures: 1 },
    ]);
    assert.deepEqual([confirmed.startsAt, confirmed.offence], [T0, 1]);
    // Told twice, or after the ban was lifted or has ended, one failure bans nobody.
    for (const present of [confirmed, undefined, liftedAt(T0 + 2, alone, 0)]) {
      assert.equal(banForOffence(present, local, offence, { now: T0 + 2 * SECOND, id }), undefined);
    }
  });

  test("stay on every host once they are there, and an operator's ban is for every host", () => {
    const everywhere = ban(T0, { mx1: 4, mx2: 1 })!;
    assert.equal(ban(T0 + SECOND, { mx3: 5 }, everywhere)?.hosts, undefined);
    const alone = ban(T0, { mx1: 5 })!;
    const short = order({ jail: local, seconds: 1 });
    const commanded = banByOperator(alone, short, { now: T0 + SECOND, id })!;
    assert.deepEqual([commanded.hosts, commanded.until], [undefined, alone.until]);
  });

  test("on a few hosts alone bring no ban of a network and no recidive", () => {
    assert.deepEqual(startsOf(ban(T0, { mx1: 5 })!), []);
    const networks = createBannedNetworks({
      ...{ prefix4: 24, prefix6: 48, addresses: 2, findtime: 60 },
    });
    const bans = ["198.51.100.1", "198.51.100.2"].map((text) => {
      return { ...ban(T0, { mx1: 5 })!, address: parseAddress(text)! };
    });
    assert.deepEqual(
      bans.map((each) => networks.note(each, () => 0)),
      [undefined, undefined],
    );
  });
});

describe("a jail in shadow mode", () => {
  const shadow: Jail = { ...jail, shadow: true };

  test("decides, and its bans are never in force and no earlier ban of anything", () => {
    const ban = bannedAt(T0, undefined, shadow)!;
    assert.equal(ban.state, "shadow");
    assert.equal(isInForce(ban, T0), false);
    assert.deepEqual(decodeBan(encodeBan(ban), "dovecot.198-51-100-7"), ban);
    assert.equal(bannedAt(T0 + SECOND, ban, shadow), undefined);
    const expired = expireBan(ban, { now: ban.until!, id })!;
    assert.equal(expired.state, "expired");
    assert.equal(bannedAt(ban.until! + SECOND, expired)?.offence, 1);
  });

  test("leaves bans in force as they are, and its shadows are bans once it is over", () => {
    const real = bannedAt(T0)!;
    assert.equal(bannedAt(T0 + SECOND, real, shadow), undefined);
    const ban = bannedAt(T0, undefined, shadow)!;
    const earned = bannedAt(T0 + SECOND, ban)!;
    assert.deepEqual(
      [earned.state, earned.held, earned.startsAt],
      ["active", undefined, T0 + SECOND],
    );
  });
});
