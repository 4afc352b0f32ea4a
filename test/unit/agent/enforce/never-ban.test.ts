import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import { createNeverBan } from "../../../../services/agent/enforce/never-ban.ts";
import { parseNetwork } from "../../../../services/wire/address.ts";

const network = (text: string) => parseNetwork(text)!;

test("loopback is never banned, nor a network that holds some of it", () => {
  const { reason } = createNeverBan([]);
  for (const text of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "96.0.0.0/3", "::/64"]) {
    assert.equal(reason(network(text)), "is loopback", text);
  }
});

test("this host's own addresses are never banned", () => {
  const { reason, own } = createNeverBan([]);
  const found = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  assert.equal(own().length, found.filter(({ internal }) => !internal).length);
  for (const address of own()) assert.match(reason(address) ?? "", /this host's own/);
});

test("the NATS server is never banned, however it is named", async () => {
  const neverBan = createNeverBan([]);
  await neverBan.refresh([
    "203.0.113.10:4222",
    "[2001:db8::10]:4222",
    "nats://u:p@203.0.113.11:4222",
  ]);
  for (const text of ["203.0.113.10", "2001:db8::10", "203.0.113.11", "203.0.113.0/24"]) {
    assert.match(neverBan.reason(network(text)) ?? "", /NATS server/, text);
  }
  assert.equal(neverBan.reason(network("203.0.113.12")), undefined);
});

test("every server of a list is found, with spaces, without a port, and with a path", async () => {
  const neverBan = createNeverBan([]);
  await neverBan.refresh([
    ...["nats://203.0.113.10", " nats://203.0.113.11:4222", "tls://203.0.113.12:4222/"],
    ...["nats://[2001:db8::13]", "2001:db8::14", "nats://u:p%40w@203.0.113.15:4222", "localhost"],
  ]);
  for (const text of ["10", "11", "12", "15"].map((last) => `203.0.113.${last}`)) {
    assert.match(neverBan.reason(network(text)) ?? "", /NATS server/, text);
  }
  for (const text of ["2001:db8::13", "2001:db8::14"]) {
    assert.match(neverBan.reason(network(text)) ?? "", /NATS server/, text);
  }
});

test("an IPv4-mapped address is the IPv4 address that it stands for", () => {
  const { reason } = createNeverBan([network("::ffff:198.51.100.0/120")]);
  assert.match(reason(network("198.51.100.7")) ?? "", /ignoreip/);
  assert.match(reason(network("::ffff:198.51.100.7")) ?? "", /ignoreip/);
  assert.equal(reason(network("2001:db8::7")), undefined);
});

test("a server whose name cannot be looked up now keeps the address that it had", async () => {
  const neverBan = createNeverBan([]);
  await neverBan.refresh(["203.0.113.10:4222"]);
  await neverBan.refresh(["nowhere.invalid:4222"]);
  assert.match(neverBan.reason(network("203.0.113.10")) ?? "", /NATS server/);
});

test("ignoreip holds against the address, a part and a whole of it", () => {
  const { reason } = createNeverBan([network("198.51.100.0/24")]);
  for (const text of ["198.51.100.7", "198.51.100.0/25", "198.51.0.0/16"]) {
    assert.match(reason(network(text)) ?? "", /ignoreip/, text);
  }
  assert.equal(reason(network("198.51.101.7")), undefined);
});
