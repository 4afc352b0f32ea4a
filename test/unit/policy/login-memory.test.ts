import assert from "node:assert/strict";
import { test } from "node:test";
import { createLoginMemory } from "../../../services/policy/login-memory.ts";
import { parseAddress, type Address } from "../../../services/wire/address.ts";

const at = (text: string): Address => parseAddress(text)!;
const A = at("198.51.100.7");
const numbered = (index: number) => at(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`);

test("a login is remembered with its host, the newest first, and an old one changes nothing", () => {
  const memory = createLoginMemory({ perHost: 10, total: 10 });
  memory.note("mx1", A, 1_000);
  memory.note("mx2", A, 3_000);
  memory.note("mx2", A, 2_000);
  assert.deepEqual(memory.loginsOf(A), [
    { host: "mx2", at: 3_000 },
    { host: "mx1", at: 1_000 },
  ]);
  assert.deepEqual([memory.hasLoggedIn(A, 3_000), memory.hasLoggedIn(A, 3_001)], [true, false]);
  assert.equal(memory.hasLoggedIn(at("198.51.100.8"), 0), false);
});

test("an IPv6 client is known by its /64, because it has all of it", () => {
  const memory = createLoginMemory({ perHost: 10, total: 10 });
  memory.note("mx1", at("2001:db8:0:1::a"), 1_000);
  assert.equal(memory.hasLoggedIn(at("2001:db8:0:1::b"), 0), true);
  assert.equal(memory.hasLoggedIn(at("2001:db8:0:2::a"), 0), false);
});

test("a host that makes up addresses forgets its own, and takes nobody else's room", () => {
  const memory = createLoginMemory({ perHost: 100, total: 150 });
  for (let index = 0; index < 40; index += 1) memory.note("mx1", numbered(index), 1);
  for (let index = 0; index < 10_000; index += 1) memory.note("evil", numbered(index + 100), 1);
  assert.ok(memory.size <= 150, String(memory.size));
  for (let index = 0; index < 40; index += 1)
    assert.equal(memory.hasLoggedIn(numbered(index), 0), true);
  assert.equal(memory.hasLoggedIn(numbered(10_099), 0), true);
  assert.equal(memory.hasLoggedIn(numbered(100), 0), false);
});

test("where many hosts fill the whole, the largest loses, and the size stays right", () => {
  const memory = createLoginMemory({ perHost: 100, total: 120 });
  for (let index = 0; index < 20; index += 1) memory.note("small", numbered(index), 1);
  for (let index = 0; index < 90; index += 1) memory.note("large", numbered(index + 100), 1);
  for (let index = 0; index < 60; index += 1) memory.note("other", numbered(index + 500), 1);
  assert.ok(memory.size <= 120, String(memory.size));
  for (let index = 0; index < 20; index += 1)
    assert.equal(memory.hasLoggedIn(numbered(index), 0), true);
  memory.sweep(2);
  assert.equal(memory.size, 0);
});

test("what an ignored host has reported does not count while it is ignored", () => {
  const ignored = new Set(["mx1"]);
  const memory = createLoginMemory({
    perHost: 10,
    total: 10,
    isIgnored: (host) => ignored.has(host),
  });
  memory.note("mx1", A, 1_000);
  assert.deepEqual([memory.hasLoggedIn(A, 0), memory.loginsOf(A)], [false, []]);
  ignored.clear();
  assert.equal(memory.hasLoggedIn(A, 0), true);
});

test("old logins are forgotten", () => {
  const memory = createLoginMemory({ perHost: 10, total: 10 });
  memory.note("mx1", A, 1_000);
  memory.note("mx1", at("198.51.100.8"), 2_000);
  memory.sweep(2_000);
  assert.deepEqual([memory.size, memory.hasLoggedIn(A, 0)], [1, false]);
});
