import assert from "node:assert/strict";
import { test } from "node:test";
import { createAlone } from "../../../../services/agent/alone/alone.ts";
import { createContact } from "../../../../services/agent/alone/contact.ts";
import { createDecidedBans } from "../../../../services/agent/alone/decided-bans.ts";
import type { LocalDecision } from "../../../../services/agent/alone/local-count.ts";
import type { Failure } from "../../../../services/detection/attempts/failure.ts";
import type { Provisional } from "../../../../services/detection/attempts/provisional.ts";
import { createLog } from "../../../../services/process/log.ts";
import { parseAddress } from "../../../../services/wire/address.ts";
import type { Jail, SignOfLife } from "../../../../services/wire/settings.ts";
import { JAIL } from "../../../harness/jail.ts";

const BUCKET = "2026-01-01T00:00:00Z";
const ATTACKER = parseAddress("198.51.100.7")!;
const ALLOWED = parseAddress("192.0.2.1")!;
const START = 1_790_000_000_000;

interface Setup {
  jails?: readonly Jail[];
  hasPolicy?: boolean;
  most?: number;
}

function setUp({ jails = [JAIL], hasPolicy = true, most = 100 }: Setup = {}) {
  const world = {
    ...{ now: START, isUp: true, storedUpTo: 0 as number | undefined, revision: 0 },
    countedUntil: undefined as number | undefined,
    lastLogin: -Infinity,
  };
  const inForce = new Map<string, LocalDecision>();
  const alone = createAlone({
    ...{ host: "mx1", fallbackAfterMs: 10_000, log: createLog("test", "silent") },
    contact: createContact({ isUp: () => world.isUp, clock: () => world.now }),
    decided: createDecidedBans(most),
    settings: { jails: () => jails, isJailOf: () => true, hasPolicy: () => hasPolicy },
    whySpared: (address, jail) =>
      address === ALLOWED && jail !== "other" ? "is allowlisted" : undefined,
    countedUntil: () => world.countedUntil,
    hasLoggedIn: (_, since) => world.lastLogin >= since,
    progress: () => ({ ...world, bansCreated: BUCKET }),
    ban: (decision) => void inForce.set(decision.address, decision),
    unban: ({ address }) => void inForce.delete(address),
    onChange() {},
    now: () => world.now,
  });
  function failure(address = ATTACKER, attempts = 1, provisional?: Provisional): Failure {
    const nothing = { user: undefined, service: undefined, session: undefined };
    return { address, at: world.now, attempts, ...nothing, form: "test", position: 0, provisional };
  }
  const note = (jail: string, failures: Failure[], withdrawn: Provisional[] = []) =>
    alone.note(jail, { failures, withdrawn });
  const fail = (count: number, address = ATTACKER, jail = JAIL.name) => {
    for (let n = 0; n < count; n += 1) note(jail, [failure(address)]);
  };
  const pass = (ms: number) => {
    for (let passed = 0; passed < ms; passed += 1_000) {
      world.now += 1_000;
      alone.look();
    }
  };
  const lose = () => {
    world.isUp = false;
    pass(10_000);
  };
  const sign = (failures: number | null, bans = 0): SignOfLife => ({
    ...{ v: 1, id: "c1", failures, bans, bansCreated: BUCKET },
  });
  const banned = () => [...inForce.keys()];
  return { alone, world, fail, failure, note, pass, lose, sign, banned, inForce };
}

test("while somebody decides a host bans nobody by itself", () => {
  const { alone, fail, pass, banned } = setUp();
  fail(20);
  pass(60_000);
  assert.deepEqual(banned(), []);
  assert.equal(alone.since(), undefined);
});

test("a host that is alone bans at exactly maxretry, and counts what came just before", () => {
  const { alone, world, fail, lose, banned, inForce } = setUp();
  fail(2);
  lose();
  assert.equal(alone.since(), START);
  fail(2);
  assert.deepEqual(banned(), []);
  fail(1);
  assert.deepEqual(banned(), [ATTACKER]);
  assert.equal(inForce.get(ATTACKER)?.until, world.now + (JAIL.bantime ?? 0) * 1000);
});

test("failures that the fleet has counted, or forgiven, do not count again", () => {
  const { world, fail, lose, banned } = setUp();
  fail(4);
  world.countedUntil = world.now;
  lose();
  fail(4);
  assert.deepEqual(banned(), []);
  fail(1);
  assert.deepEqual(banned(), [ATTACKER]);
});

test("a paused jail bans nobody where a host is alone, until the pause ends by itself", () => {
  const pauses = [{ from: START, until: START + 60_000 }];
  const { fail, lose, pass, banned } = setUp({ jails: [{ ...JAIL, pauses }] });
  lose();
  fail(10);
  pass(50_000);
  assert.deepEqual(banned(), []);
  fail(4);
  assert.deepEqual(banned(), []);
  fail(1);
  assert.deepEqual(banned(), [ATTACKER]);
});

test("what an operator has set of a jail ends where a host is alone, too", () => {
  const changed = { maxretry: 3 };
  const later = [{ at: START + 60_000, changed, gone: ["shadow"] }];
  const { fail, lose, pass, banned } = setUp({ jails: [{ ...JAIL, shadow: true, later }] });
  lose();
  fail(3);
  assert.deepEqual(banned(), []);
  pass(50_000);
  assert.deepEqual(banned(), [ATTACKER], "the failures of the last findtime count");
});

test("failures older than findtime do not count", () => {
  const { fail, lose, pass, banned } = setUp();
  fail(4);
  lose();
  pass(JAIL.findtime * 1000);
  fail(4);
  assert.deepEqual(banned(), []);
});

test("an attempt that is withdrawn does not count, and one that is not counts when it is certain", () => {
  const { world, fail, failure, note, lose, pass, banned } = setUp();
  lose();
  fail(4);
  const name = { until: world.now + 2_000 };
  note(JAIL.name, [failure(ATTACKER, 1, name)]);
  note(JAIL.name, [], [name]);
  pass(3_000);
  assert.deepEqual(banned(), []);
  note(JAIL.name, [failure(ATTACKER, 1, { until: world.now + 2_000 })]);
  assert.deepEqual(banned(), []);
  pass(2_000);
  assert.deepEqual(banned(), [ATTACKER]);
});

test("an address that is never banned is not banned alone, either", () => {
  const { fail, lose, banned } = setUp();
  lose();
  fail(50, ALLOWED);
  assert.deepEqual(banned(), []);
});

test("an address that is allowed in one jail is banned in another where a host is alone, too", () => {
  const { fail, lose, banned } = setUp({ jails: [JAIL, { ...JAIL, name: "other" }] });
  lose();
  fail(5, ALLOWED);
  assert.deepEqual(banned(), []);
  fail(5, ALLOWED, "other");
  assert.deepEqual(banned(), [ALLOWED]);
});

for (const [what, jail, isBanned] of [
  ["in shadow mode", { shadow: true }, false],
  ["that needs several hosts", { minhosts: 2 }, false],
  ["that lets one host ban for itself", { minhosts: 2, quorum: "local-first" as const }, true],
  ["that counts bans", { source: "bans" as const }, false],
] as const) {
  test(`a jail ${what} ${isBanned ? "bans" : "does not ban"} where a host is alone`, () => {
    const { fail, lose, banned } = setUp({ jails: [{ ...JAIL, ...jail }] });
    lose();
    fail(JAIL.maxretry);
    assert.deepEqual(banned(), isBanned ? [ATTACKER] : []);
  });
}

test("IPv6 is counted and banned by the jail's prefix", () => {
  const { fail, lose, banned } = setUp({ jails: [{ ...JAIL, ipv6_prefix: 64 }] });
  lose();
  for (let n = 1; n <= JAIL.maxretry; n += 1) fail(1, parseAddress(`2001:db8::${n}`));
  assert.deepEqual(banned(), ["2001:db8::/64"]);
});

test("a host that never knew the fleet's policy does not decide", () => {
  const { fail, lose, banned } = setUp({ hasPolicy: false });
  lose();
  fail(50);
  assert.deepEqual(banned(), []);
});

test("without signs of life a host is alone, although NATS is there", () => {
  const { alone, fail, pass, sign, banned } = setUp();
  alone.noteSign(sign(0));
  pass(9_000);
  assert.equal(alone.since(), undefined);
  pass(1_000);
  fail(JAIL.maxretry);
  assert.deepEqual(banned(), [ATTACKER]);
  alone.noteSign(sign(null));
  assert.equal(alone.since(), undefined);
  assert.deepEqual(banned(), [ATTACKER]);
});

test("a local ban ends when the fleet has decided about its failures without a ban, and not before", () => {
  const { alone, world, fail, lose, sign, banned } = setUp();
  lose();
  fail(JAIL.maxretry);
  world.isUp = true;
  world.storedUpTo = undefined;
  alone.noteSign(sign(100)); // our failures are not stored yet
  assert.deepEqual(banned(), [ATTACKER]);
  world.storedUpTo = 107;
  alone.noteSign(sign(106)); // the last of them is not decided yet
  assert.deepEqual(banned(), [ATTACKER]);
  alone.noteSign(sign(107, 12)); // a ban may be on its way
  assert.deepEqual(banned(), [ATTACKER]);
  world.revision = 12;
  alone.noteSign(sign(110, 12));
  assert.deepEqual(banned(), []);
});

test("a local ban gives way to the fleet's, and to a state that covers its failures", () => {
  const { alone, world, fail, lose, banned } = setUp();
  const ban = { jail: JAIL.name, address: ATTACKER };
  lose();
  fail(JAIL.maxretry);
  alone.noteFleetBan({ ...ban, countedUntil: world.now - 1 }, false); // an older ban has expired
  assert.deepEqual(banned(), [ATTACKER]);
  alone.noteFleetBan({ ...ban, countedUntil: world.now }, false); // held, for example
  assert.deepEqual(banned(), []);
  world.now += 1;
  fail(JAIL.maxretry);
  assert.deepEqual(banned(), [ATTACKER]);
  alone.noteFleetBan(ban, true);
  assert.deepEqual(alone.bans(), []);
});

test("a local ban ends at its own time", () => {
  const { alone, fail, lose, pass, banned } = setUp();
  lose();
  fail(JAIL.maxretry);
  pass((JAIL.bantime ?? 0) * 1000);
  assert.deepEqual([banned(), alone.bans()], [[], []]);
});

test("local bans have a bound, and so have tracked addresses", () => {
  const { alone, fail, lose } = setUp({ most: 3 });
  lose();
  for (let n = 0; n < 5; n += 1) fail(JAIL.maxretry, parseAddress(`198.51.100.${n}`));
  assert.equal(alone.bans().length, 3);
});

test("local bans that were given before a restart are in force again, unless they are over", () => {
  const { alone, banned } = setUp();
  const ban = { jail: JAIL.name, at: START, until: START + 1_000 };
  alone.restore([
    { ...ban, address: ATTACKER },
    { ...ban, address: ALLOWED, until: START },
  ]);
  assert.deepEqual(banned(), [ATTACKER]);
});

test("a host that is alone spares who has logged in there, and not for ever", () => {
  const jail: Jail = { ...JAIL, knownGood: { factor: 2, within: 3_600 } };
  const { world, fail, lose, inForce } = setUp({ jails: [jail] });
  world.lastLogin = START;
  lose();
  fail(2 * JAIL.maxretry - 1);
  assert.equal(inForce.size, 0);
  fail(1);
  assert.equal(inForce.size, 1);
  const late = setUp({ jails: [jail] });
  late.world.lastLogin = START - 3_600_000;
  late.lose();
  late.fail(JAIL.maxretry);
  assert.equal(late.inForce.size, 1);
});
