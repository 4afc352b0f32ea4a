import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import {
  AllowedNames,
  type Resolved,
} from "../../../../services/coordinator/upkeep/allowed-names.ts";
import { coordinatorConfig } from "../../../../services/coordinator/coordinator-config.ts";
import { parseNetwork } from "../../../../services/wire/address.ts";

const NAME = "webmail.example.org";

function setUp() {
  const clock = { now: Date.UTC(2026, 10, 24) };
  const answers: { next: Resolved | Error; asked: number } = { next: answer(60), asked: 0 };
  const names = new AllowedNames({
    entries: [{ name: NAME }],
    resolve: () => {
      answers.asked += 1;
      const { next } = answers;
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
    },
    now: () => clock.now,
    log: pino({ level: "silent" }),
  });
  const found = () => names.entries().map(({ address }) => String(address));
  return { names, clock, answers, found };
}

function answer(ttl: number, ...addresses: string[]): Resolved {
  return { ttl, addresses: addresses.map((text) => parseNetwork(text)!) };
}

test("a name is looked up when its answer is no longer good, at least a minute apart", async () => {
  const { names, clock, answers, found } = setUp();
  assert.equal(names.keeps(NAME), true);
  answers.next = answer(5, "192.0.2.1", "2001:db8::1");
  await names.look();
  await names.look();
  assert.deepEqual([answers.asked, names.keeps(NAME), names.changes], [1, false, 1]);
  assert.deepEqual(found(), ["192.0.2.1", "2001:db8::1"]);
  clock.now += 59_000;
  await names.look();
  assert.equal(answers.asked, 1);
  clock.now += 1_000;
  answers.next = answer(300, "2001:db8::1", "192.0.2.1");
  await names.look();
  assert.deepEqual([answers.asked, names.changes], [2, 1]);
  clock.now += 299_000;
  answers.next = answer(300, "192.0.2.2");
  await names.look();
  assert.equal(answers.asked, 2);
  clock.now += 1_000;
  await names.look();
  assert.deepEqual([found(), names.changes], [["192.0.2.2"], 2]);
});

test("a name that cannot be looked up keeps its addresses, is a warning, and is tried again", async () => {
  const { names, clock, answers, found } = setUp();
  answers.next = answer(60, "192.0.2.1");
  await names.look();
  answers.next = new Error("queryA ESERVFAIL webmail.example.org");
  clock.now += 60_000;
  await names.look();
  assert.deepEqual(found(), ["192.0.2.1"]);
  assert.match(names.warnings()[0]?.text ?? "", /cannot be looked up: queryA ESERVFAIL/);
  answers.next = answer(60, "192.0.2.1");
  clock.now += 60_000;
  await names.look();
  assert.deepEqual(names.warnings(), []);
});

test("a name with more than 64 addresses, or with loopback, is refused with the reason", async () => {
  const { names, clock, answers, found } = setUp();
  answers.next = answer(60, "192.0.2.1");
  await names.look();
  const many = Array.from({ length: 65 }, (_, index) => `198.51.100.${index}`);
  for (const [next, reason] of [
    [answer(60, ...many), /it has 65 addresses, expected at most 64/],
    [answer(60, "192.0.2.5", "127.0.0.1"), /its address 127\.0\.0\.1 is loopback/],
    [answer(60, "0.0.0.0"), /its address 0\.0\.0\.0 stands for no machine/],
  ] as const) {
    answers.next = next;
    clock.now += 60_000;
    await names.look();
    assert.match(names.warnings()[0]?.text ?? "", reason);
    assert.deepEqual(found(), ["192.0.2.1"]);
  }
});

test("the allowlist of the configuration takes addresses, networks and names, and says what is none", () => {
  const given = ["192.0.2.7/24", "Webmail.Example.ORG.", "2001:db8::1"];
  assert.deepEqual(coordinatorConfig.parse({ allowlist: given }).allowlist, [
    { address: "192.0.2.0/24" },
    { name: NAME },
    { address: "2001:db8::1" },
  ]);
  for (const wrong of [
    "192.0.2.300",
    "localhost",
    "10.0.0.0/33",
    "a..example.org",
    "x y.org",
    "",
  ]) {
    const issues = coordinatorConfig.safeParse({ allowlist: [wrong] }).error?.issues ?? [];
    assert.match(
      issues[0]?.message ?? "",
      /^expected an address, a network .* or a host name/,
      wrong,
    );
  }
});

test("a name has an entry for each of its jails, until the entry ends", async () => {
  const { names, clock, answers } = setUp();
  const until = clock.now + 3_600_000;
  names.follow([
    { name: NAME, jail: "edge", label: "partner", comment: "webmail" },
    { name: NAME, jail: "inner", until },
    { address: parseNetwork("192.0.2.9")! },
  ]);
  answers.next = answer(86_400, "192.0.2.1", "192.0.2.2");
  await names.look();
  const [first, second] = answer(0, "192.0.2.1", "192.0.2.2").addresses;
  const edge = { name: NAME, jail: "edge", label: "partner", comment: "webmail" };
  const inner = { name: NAME, jail: "inner", until, comment: `host name ${NAME}` };
  assert.deepEqual(names.entries(), [
    ...[first, second].map((address) => ({ ...edge, address })),
    ...[first, second].map((address) => ({ ...inner, address })),
  ]);
  assert.equal(answers.asked, 1, "one question for both");
  clock.now = until;
  assert.deepEqual(
    names.entries(),
    [first, second].map((address) => ({ ...edge, address })),
  );
});
