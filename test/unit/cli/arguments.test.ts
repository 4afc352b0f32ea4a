import assert from "node:assert/strict";
import { test } from "node:test";
import { checksOf, UsageError } from "../../../services/cli/arguments.ts";

const silent = checksOf("ban add", (text) => assert.fail(text));

function refuses(check: () => unknown, message: RegExp): void {
  assert.throws(check, (error: unknown) => {
    assert.ok(error instanceof UsageError);
    assert.equal(error.exitCode, 64);
    assert.match(error.message, message);
    return true;
  });
}

for (const [text, address] of [
  ["198.51.100.7", "198.51.100.7"],
  ["::ffff:198.51.100.7", "198.51.100.7"],
  ["2001:DB8:0::1", "2001:db8::1"],
  ["10.0.0.0/8", "10.0.0.0/8"],
  ["2001:db8::/32", "2001:db8::/32"],
  ["198.51.100.7/32", "198.51.100.7"],
] as const) {
  test(`${text} can be banned, as ${address}`, () => assert.equal(silent.bannable(text), address));
}

for (const text of [
  "999.1.1.1",
  "198.51.100",
  "198.51.100.7/33",
  "198.51.100.7/24/8",
  "mx1.example.org",
  "",
  "-1",
  "198.51.100.7 ",
]) {
  test(`${JSON.stringify(text)} is no address`, () =>
    refuses(
      () => silent.bannable(text),
      /^ban add: ".*": expected an IPv4 or IPv6 address or network/,
    ));
}

for (const text of ["0.0.0.0/0", "0.0.0.0/7", "::/0", "2001::/31", "::ffff:0.0.0.0/96"]) {
  test(`${text} is too wide to be banned`, () =>
    refuses(
      () => silent.bannable(text),
      /^ban add: ".*": is too wide, expected an IPv[46] network/,
    ));
}

test("a network with host bits is taken as its network, and that is said", () => {
  const notes: string[] = [];
  const check = checksOf("ban add", (note) => notes.push(note));
  assert.equal(check.bannable("192.0.2.7/24"), "192.0.2.0/24");
  assert.deepEqual(notes, ["ban add: 192.0.2.7/24 is taken as its network, 192.0.2.0/24"]);
  assert.equal(check.bannable("2001:db8:0:0:0::1/64"), "2001:db8::/64");
  assert.equal(notes.length, 2);
  check.bannable("2001:DB8::/64");
  check.bannable("192.0.2.7/32");
  assert.equal(notes.length, 2);
});

test("durations are seconds, and -1 is for ever", () => {
  assert.equal(silent.seconds("20m"), 1200);
  assert.equal(silent.seconds("-1"), Infinity);
  refuses(() => silent.seconds("10 apples"), /^ban add: "10 apples": expected a duration/);
  refuses(() => silent.seconds("-5m"), /expected a duration/);
  refuses(() => silent.seconds("101y"), /at most 100y/);
  assert.equal(silent.immunity("0"), 0);
  assert.equal(silent.immunity("20m"), 1200);
  refuses(() => silent.immunity("-1"), /expected a duration/);
});

test("--wait takes at most a minute, and an address behind it is explained", () => {
  assert.equal(silent.wait("10s"), 10_000);
  assert.equal(silent.wait("0.5"), 500);
  refuses(() => silent.wait("61s"), /at most 60s/);
  refuses(() => silent.wait("0"), /at most 60s/);
  refuses(() => silent.wait("198.51.100.7"), /put --wait behind the address/);
});

test("since when is a duration or an instant", () => {
  assert.equal(silent.instant("2026-11-24T12:00:00Z"), Date.UTC(2026, 10, 24, 12));
  const before = Date.now();
  const hourAgo = silent.instant("1h");
  assert.ok(hourAgo >= before - 3_600_000 && hourAgo <= Date.now() - 3_600_000);
  refuses(() => silent.instant("-1"), /expected a duration such as "1h" or an instant/);
  refuses(() => silent.instant("yesterday"), /expected a duration such as "1h" or an instant/);
});

test("limits, jails, hosts and texts are checked", () => {
  assert.equal(silent.limit("10"), 10);
  for (const text of ["0", "-1", "1.5", "many", "1e3"]) {
    refuses(() => silent.limit(text), /expected a number of at least 1/);
  }
  assert.equal(silent.jail("dovecot"), "dovecot");
  refuses(() => silent.jail("a.b"), /expected the name of a jail/);
  assert.equal(silent.host("mx1.example.org"), "mx1-example-org");
  refuses(() => silent.host(""), /expected the name of a host/);
  assert.equal(silent.text("x".repeat(256)).length, 256);
  refuses(() => silent.text("x".repeat(257)), /at most 256 characters, got 257/);
});
