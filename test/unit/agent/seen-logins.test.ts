import assert from "node:assert/strict";
import { test } from "node:test";
import { createSeenLogins } from "../../../services/agent/seen-logins.ts";
import { emptyReading } from "../../../services/detection/dovecot/reading.ts";
import { parseAddress, type Address } from "../../../services/wire/address.ts";
import type { Jail } from "../../../services/wire/settings.ts";
import { JAIL } from "../../harness/jail.ts";

const START = Date.UTC(2026, 10, 24);
const HOUR_MS = 3_600_000;
const A = parseAddress("198.51.100.7")!;
const B = parseAddress("198.51.100.8")!;
const KNOWING: Jail = { ...JAIL, knownGood: { factor: 3, within: 28_800 } };

function setUp(jails: readonly Jail[] = [KNOWING]) {
  const world = { now: START, called: 0 };
  const logins = createSeenLogins(() => world.now);
  logins.onDue(() => (world.called += 1));
  logins.learn(jails);
  const login = (address: Address | undefined = A, at: number | undefined = world.now) => {
    const reading = { ...emptyReading("login-2.3-success"), verdict: "success" as const };
    logins.note({ ...reading, address, at });
  };
  const due = () => logins.due(10).map(({ address }) => address);
  return { world, logins, login, due };
}

test("a login is due once, and again when an eighth of within has passed", () => {
  const { world, logins, login, due } = setUp();
  login();
  login();
  assert.deepEqual([due(), world.called > 0], [[A], true]);
  logins.reported(logins.due(10));
  login();
  assert.deepEqual(due(), []);
  world.now += HOUR_MS - 1;
  login();
  assert.deepEqual(due(), []);
  world.now += 1;
  assert.deepEqual(due(), []);
  login();
  assert.deepEqual(logins.due(10), [{ address: A, at: START + HOUR_MS }]);
});

test("nothing is kept while no jail has knownGood, and a failure is no login", () => {
  const { logins, login, due } = setUp([JAIL]);
  login();
  assert.deepEqual([due(), logins.hasLoggedIn(A, 0)], [[], false]);
  logins.learn([KNOWING]);
  logins.note({ ...emptyReading(), verdict: "failure", address: A });
  assert.deepEqual(due(), []);
  login();
  assert.deepEqual(due(), [A]);
  logins.learn([JAIL]);
  assert.deepEqual([due(), logins.hasLoggedIn(A, 0)], [[], false]);
});

test("a login counts at its own time: one of the future now, an old one not at all", () => {
  const { logins, login } = setUp();
  login(A, START + HOUR_MS);
  assert.deepEqual(logins.due(1), [{ address: A, at: START }]);
  assert.deepEqual([logins.hasLoggedIn(A, START), logins.hasLoggedIn(A, START + 1)], [true, false]);
  const old = setUp();
  old.login(A, START - 8 * HOUR_MS);
  assert.deepEqual(old.due(), []);
});

test("what is seen before the fleet's jails are known is due when one asks for it", () => {
  const world = { now: START, called: 0 };
  const logins = createSeenLogins(() => world.now);
  logins.onDue(() => (world.called += 1));
  const reading = { ...emptyReading(), verdict: "success" as const, address: A };
  logins.note({ ...reading, at: START - 10 * HOUR_MS });
  logins.note({ ...reading, at: START, address: B });
  assert.deepEqual([logins.due(10), world.called], [[], 0]);
  logins.learn([KNOWING]);
  assert.deepEqual([logins.due(10), world.called], [[{ address: B, at: START }], 1]);
});

test("IPv6 clients are known by their /64, and all is due again when the fleet has lost it", () => {
  const { logins, login, due } = setUp();
  login(parseAddress("2001:db8::1"));
  login(parseAddress("2001:db8::2"));
  assert.deepEqual(due(), ["2001:db8::/64"]);
  logins.reported(logins.due(10));
  assert.deepEqual(due(), []);
  logins.forgetReports();
  assert.deepEqual(due(), ["2001:db8::/64"]);
});

test("a flood of addresses stays within bounds, and the newest are known", () => {
  const { logins, login } = setUp();
  for (let index = 0; index < 120_000; index += 1) {
    login(parseAddress(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`));
  }
  assert.ok(logins.due(200_000).length <= 50_000);
  assert.equal(logins.hasLoggedIn(parseAddress("10.1.212.191")!, 0), true);
  assert.equal(logins.hasLoggedIn(parseAddress("10.0.0.0")!, 0), false);
});
