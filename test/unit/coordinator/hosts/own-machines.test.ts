import assert from "node:assert/strict";
import { test } from "node:test";
import { createOwnMachines } from "../../../../services/coordinator/hosts/own-machines.ts";
import { watchSurroundings } from "../../../../services/coordinator/hosts/own-surroundings.ts";
import { parseNetwork, type Address } from "../../../../services/wire/address.ts";
import { decodeSetting, type Setting } from "../../../../services/wire/settings.ts";
import { HOST_SILENT_AFTER_MS, type HostStatus } from "../../../../services/wire/status.ts";

const NOW = Date.UTC(2026, 10, 24);
const DAY = 86_400_000;
const HOUR = DAY / 24;
const at = (text: string): Address => parseNetwork(text)!;
const status = (host: string, ...addresses: string[]) =>
  ({ host, addresses: addresses.map(at) }) as HostStatus;

/** Two coordinators on one settings bucket; `quarantined` may be changed. */
function setUp() {
  const clock = { now: NOW };
  const quarantined = new Set<string>();
  const bucket = new Map<string, Setting>();
  const coordinator = () =>
    createOwnMachines({ isQuarantined: (host) => quarantined.has(host), now: () => clock.now });
  const [first, second] = [coordinator(), coordinator()];
  let writes = 0;
  const settings = {
    write(key: string, value: Uint8Array, isSame: (present: Setting) => boolean) {
      const present = bucket.get(key);
      if (present && isSame(present)) return Promise.resolve();
      writes += 1;
      bucket.set(key, decodeSetting(value, key));
      for (const each of [first, second]) each.noteSetting(key, bucket.get(key));
      return Promise.resolve();
    },
    erase(key: string) {
      bucket.delete(key);
      for (const each of [first, second]) each.noteSetting(key, undefined);
      return Promise.resolve();
    },
  };
  return { first, second, settings, quarantined, bucket, clock, writes: () => writes };
}

test("what a host reports is known to the other coordinator, too, and after a restart", async () => {
  const { first, second, settings, writes } = setUp();
  first.noteStatus(status("mx1", "192.0.2.1", "2001:db8::1"));
  await first.publishHosts(settings);
  await first.publishHosts(settings);
  assert.equal(writes(), 1);
  assert.equal(second.find(at("192.0.2.1"))?.what, "host mx1");
  assert.equal(second.find(at("2001:db8::/64"))?.address, "2001:db8::1");
  assert.equal(second.find(at("192.0.2.2")), undefined);
});

test("a network that a host calls its own protects nobody, and a host in quarantine nobody at all", () => {
  const { first, quarantined } = setUp();
  first.noteStatus(status("mx1", "0.0.0.0/0", "192.0.2.1"));
  assert.equal(first.find(at("198.51.100.7")), undefined);
  quarantined.add("mx1");
  first.noteSetting("quarantine.mx1", undefined);
  assert.equal(first.find(at("192.0.2.1")), undefined);
});

test("an address that a host has no more may be banned, and so may those of a removed host", async () => {
  const { first, second, settings, clock } = setUp();
  first.noteStatus(status("mx1", "192.0.2.1"));
  await first.publishHosts(settings);
  clock.now += 120_000;
  first.noteStatus(status("mx1", "192.0.2.2"));
  await first.publishHosts(settings);
  assert.equal(second.find(at("192.0.2.1")), undefined);
  assert.equal(second.find(at("192.0.2.2"))?.what, "host mx1");
  await first.forgetHost(settings, "mx1");
  assert.equal(first.find(at("192.0.2.2")), undefined);
  assert.equal(second.find(at("192.0.2.2")), undefined);
});

test("the addresses of a coordinator that is no more are forgotten after a day", async () => {
  const { first, second, settings, bucket, clock } = setUp();
  const addresses = [{ address: at("192.0.2.9"), what: "coordinator c1" }];
  await first.publishOwn(settings, { machine: "centre", addresses });
  assert.equal(second.find(at("192.0.2.9"))?.what, "coordinator c1");
  clock.now += DAY + 1;
  await second.publishHosts(settings);
  assert.equal(bucket.size, 0);
  assert.equal(second.find(at("192.0.2.9")), undefined);
});

test("a coordinator finds the servers of NATS and PostgreSQL that its configuration names", async () => {
  const look = watchSurroundings({
    id: "c1",
    natsUrl: "tls://192.0.2.10:4222,nats://user:secret@192.0.2.11",
    connection: { getServer: () => "192.0.2.11:4222" },
    databaseUrl: "postgresql://fleetban:p%40ss@[2001:db8::5]:5432,127.0.0.1/fleetban",
  });
  const { addresses } = await look();
  const found = addresses.filter(({ what }) => !what.startsWith("coordinator"));
  assert.deepEqual(Object.fromEntries(found.map(({ address, what }) => [address, what])), {
    "192.0.2.10": "a NATS server (192.0.2.10:4222)",
    "192.0.2.11": "a NATS server (192.0.2.11:4222)",
    "2001:db8::5": "PostgreSQL ([2001:db8::5]:5432)",
  });
});

test("where somebody uses the CLI is spared for an hour after the last request", async () => {
  const { first, second, settings, clock, writes } = setUp();
  await first.noteCli(settings, "alice", at("198.51.100.9"));
  assert.equal(second.find(at("198.51.100.9"))?.what, "alice's CLI");
  await first.noteCli(settings, "alice", at("198.51.100.9"));
  assert.equal(writes(), 1);
  clock.now += HOUR / 2;
  await second.noteCli(settings, "alice", at("198.51.100.9"));
  clock.now += HOUR / 2 + 1;
  await first.publishHosts(settings);
  assert.equal(first.find(at("198.51.100.9"))?.address, "198.51.100.9");
  clock.now += HOUR / 2;
  await first.publishHosts(settings);
  assert.equal(first.find(at("198.51.100.9")), undefined);
  assert.equal(second.find(at("198.51.100.9")), undefined);
});

test("a CLI spares at most eight addresses, and no network", async () => {
  const { first, second, settings, clock } = setUp();
  await first.noteCli(settings, "bob", at("198.51.100.0/24"));
  await first.noteCli(settings, "bob", at("127.0.0.1"));
  assert.equal(first.find(at("198.51.100.1")), undefined);
  for (let last = 1; last <= 9; last += 1) {
    await first.noteCli(settings, "bob", at(`198.51.100.${last}`));
  }
  assert.equal(second.find(at("198.51.100.8"))?.what, "bob's CLI");
  assert.equal(first.find(at("198.51.100.9")), undefined);
  await first.noteCli(settings, "alice", at("198.51.100.9"));
  assert.equal(first.find(at("198.51.100.9"))?.what, "alice's CLI");
  clock.now += HOUR + 1;
  await first.publishHosts(settings);
  await first.noteCli(settings, "bob", at("198.51.100.10"));
  assert.equal(first.find(at("198.51.100.10"))?.what, "bob's CLI");
});

test("an address that a host has, too, is the host's", async () => {
  const { first, settings } = setUp();
  await first.noteCli(settings, "alice", at("192.0.2.1"));
  first.noteStatus(status("mx1", "192.0.2.1"));
  assert.equal(first.find(at("192.0.2.1"))?.what, "host mx1");
});

test("a host that is removed while it is being written down stays removed", async () => {
  const { first, settings, bucket } = setUp();
  first.noteStatus(status("mx1", "192.0.2.1"));
  let goOn = () => {};
  const slow = {
    ...settings,
    async write(...args: Parameters<typeof settings.write>) {
      await new Promise<void>((resolve) => (goOn = resolve));
      await settings.write(...args);
    },
  };
  const round = first.publishHosts(slow);
  const removal = first.forgetHost(settings, "mx1");
  goOn();
  await Promise.all([round, removal]);
  assert.equal(bucket.size, 0);
});

test("a silent host that another coordinator has removed is not written down again", async () => {
  const { first, second, settings, bucket, clock } = setUp();
  first.noteStatus(status("mx1", "192.0.2.1"));
  await first.publishHosts(settings);
  clock.now += HOST_SILENT_AFTER_MS;
  await second.forgetHost(settings, "mx1");
  await first.publishHosts(settings);
  assert.equal(bucket.size, 0);
  first.noteStatus(status("mx1", "192.0.2.1"));
  await first.publishHosts(settings);
  assert.equal(bucket.size, 1);
});

test("an entry that ran out while no coordinator was at work counts no more, and is erased", async () => {
  const { first, second, settings, bucket, clock } = setUp();
  await first.noteCli(settings, "alice", at("198.51.100.9"));
  clock.now += HOUR + 1;
  const [[key, setting] = []] = bucket;
  second.noteSetting(key ?? "", setting); // as it reads the bucket at its start
  assert.equal(second.find(at("198.51.100.9")), undefined);
  await second.publishHosts(settings);
  assert.equal(bucket.size, 0);
});
