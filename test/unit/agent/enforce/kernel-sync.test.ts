/** The kernel sync with a fake mirror and the firewall of dry-run, which passes the firewalls' suite. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { BY_THIS_HOST, type HostBan } from "../../../../services/agent/enforce/ban-filter.ts";
import { createDryRunFirewall } from "../../../../services/agent/enforce/firewall/dry-run.ts";
import type { Firewall } from "../../../../services/agent/enforce/firewall/firewall.ts";
import { createKernelSync } from "../../../../services/agent/enforce/kernel-sync.ts";
import type {
  AheadEntry,
  MirrorEntry,
  MirrorEvent,
} from "../../../../services/nats/bucket-mirror.ts";
import { parseNetwork, type Address } from "../../../../services/wire/address.ts";
import { createAddressTrie } from "../../../../services/wire/address-trie.ts";
import type { Allowed } from "../../../../services/wire/settings.ts";
import { banKey } from "../../../../services/wire/subjects.ts";
import { eventually } from "../../../harness/eventually.ts";
import { JAIL } from "../../../harness/jail.ts";
import type { Kernel } from "../../../harness/firewall-suite.ts";
import { refusable } from "../../../harness/refusing-firewall.ts";

const BUCKET = "2026-01-01T00:00:00Z";
const addressAt = (n: number) => parseNetwork(`198.51.100.${n}`)!;

function banOn(address: Address, state: HostBan["state"] = "active"): HostBan {
  return { jail: "dovecot", address, state, until: null, by: "decider" };
}

async function setUp({ repairEveryMs = 60_000 } = {}) {
  const entries = new Map<string, MirrorEntry<HostBan>>();
  const allowed = createAddressTrie<Allowed>();
  const told = {
    ...{ readyFor: null as string | null, applied: 0 },
    ...{ isKnown: true, isOfThisHost: true, decided: [] as [Address, boolean][] },
  };
  let revision = 0;
  let phase: "loading" | "live" = "loading";
  let onEvent: (event: MirrorEvent<HostBan>) => void = () => {};
  let onAhead: (entry: AheadEntry<HostBan>) => void = () => {};
  const nftables: Kernel = { isRefusing: false };
  const dryRun = createDryRunFirewall({ now: Date.now, say: () => {} });
  const { firewall: pausable, replacing } = pausableReplace(dryRun);
  /** Bans that the kernel was given, one by one. */
  const given: Address[] = [];
  /** Called before bans leave the kernel. */
  const unbanning = { isAsked: () => {} };
  const firewall = refusable(
    {
      ...pausable,
      ban(bans) {
        given.push(...bans.map(({ address }) => address));
        return pausable.ban(bans);
      },
      unban(bans) {
        unbanning.isAsked();
        return pausable.unban(bans);
      },
    },
    nftables,
  );
  await firewall.open([JAIL]);
  let logged = "";
  const log = pino({ level: "warn" }, { write: (line: string) => void (logged += line) });
  const sync = createKernelSync({
    ...{ firewall, jails: [JAIL], jailsOpen: [JAIL], repairEveryMs, now: Date.now },
    retryPauses: { firstMs: 5, longestMs: 20 },
    host: "mx1",
    settings: {
      ...{ jails: () => [JAIL], allowed: allowed.find, readyFor: () => told.readyFor },
      ...{ isKnown: () => told.isKnown, isJailOf: () => told.isOfThisHost },
    },
    ...{ neverBan: { reason: () => undefined }, log },
    onApplied: () => (told.applied += 1),
    onFleetBan: ({ address }, isHere) => void told.decided.push([address, isHere]),
    onFailed: assert.ifError,
  });
  sync.follow((listener, aheadListener) => {
    onEvent = listener;
    onAhead = aheadListener;
    const state = () => ({ phase, bucketId: BUCKET });
    return { entries, state, revision: () => revision, stop() {} };
  });
  const put = (ban: HostBan) => {
    const key = banKey(ban.jail, ban.address);
    revision += 1;
    const writtenAt = Date.now();
    entries.set(key, { value: ban, revision, bucketId: BUCKET, writtenAt });
    onEvent({ type: "put", key, value: ban, previous: undefined, writtenAt });
  };
  /** NATS delivers the ban before the mirror has read up to it. */
  const deliverAhead = (ban: HostBan) => {
    const key = banKey(ban.jail, ban.address);
    const writtenAt = Date.now();
    onAhead({ key, value: ban, revision: 1_000, bucketId: BUCKET, writtenAt });
  };
  const readUpTo = (upTo: number) => void (revision = upTo);
  const begin = () => {
    phase = "loading";
    onEvent({ type: "loading", bucketId: BUCKET, last: revision });
  };
  const finish = (isWhole = true) => {
    phase = "live";
    onEvent({ type: "live", bucketId: BUCKET, isWhole });
  };
  const allow = (text: string) => {
    const address = parseNetwork(text)!;
    allowed.set(address, {
      ...{ v: 1, address, comment: "", addedAt: 0, by: "alice", origin: "operator" },
    });
    sync.settingsChanged();
  };
  const disallow = (text: string) => {
    allowed.delete(parseNetwork(text)!);
    sync.settingsChanged();
  };
  const inKernel = async () => (await firewall.list()).map(({ address }) => address).sort();
  const lose = (ban: HostBan) => {
    const key = banKey(ban.jail, ban.address);
    entries.delete(key);
    onEvent({ type: "rolled-back", key, previous: ban, isSameBucket: true });
  };
  return {
    ...{ logged: () => logged },
    ...{
      sync,
      firewall,
      replacing,
      given,
      unbanning,
      nftables,
      told,
      put,
      deliverAhead,
      readUpTo,
      begin,
      finish,
      allow,
      disallow,
      inKernel,
      lose,
    },
    async [Symbol.asyncDispose]() {
      await sync.stop();
    },
  };
}

/** A firewall whose `replace` can be made to take long; bans go on beside, as with ipset. */
function pausableReplace(firewall: Firewall) {
  let pause: Promise<void> | undefined;
  let isUnderWay = false;
  const beside: (() => Promise<unknown>)[] = [];
  const noting = <T>(change: () => Promise<T>) => {
    if (isUnderWay) beside.push(change);
    return change();
  };
  return {
    firewall: {
      ...firewall,
      async replace(bans) {
        isUnderWay = true;
        await pause;
        isUnderWay = false;
        const refused = await firewall.replace(bans);
        for (const change of beside.splice(0)) await change();
        return refused;
      },
      ban: (bans) => noting(() => firewall.ban(bans)),
      unban: (bans) => noting(() => firewall.unban(bans)),
    } satisfies Firewall,
    replacing: {
      isUnderWay: () => isUnderWay,
      pause(): () => void {
        let goOn = () => {};
        pause = new Promise((resolve) => (goOn = resolve));
        return goOn;
      },
    },
  };
}

test("a ban of this host's own is in force beside the fleet's, until it ends", async () => {
  await using host = await setUp();
  const { sync, told, put, begin, finish, inKernel, firewall } = host;
  const own = (n: number, until: number | null = null): HostBan => {
    return { ...banOn(addressAt(n)), until, by: BY_THIS_HOST };
  };
  sync.banLocally(own(1)); // NATS was never reached
  await sync.settled();
  assert.deepEqual(await inKernel(), [addressAt(1)]);
  told.readyFor = BUCKET;
  begin();
  put(banOn(addressAt(2)));
  put({ ...banOn(addressAt(3)), state: "expired" });
  finish();
  await sync.settled();
  sync.banLocally(own(3));
  sync.banLocally(own(2, Date.now() + 60_000)); // shorter than the fleet's
  await sync.settled();
  assert.deepEqual(await inKernel(), [addressAt(1), addressAt(2), addressAt(3)]);
  const seconds = (await firewall.list()).find(({ address }) => address === addressAt(2))?.seconds;
  assert.equal(seconds, undefined, "the longer of two bans is in force");
  assert.deepEqual(
    [...(sync.held() ?? [])],
    [banOn(addressAt(2))],
    "they are no bans of the fleet",
  );
  for (const n of [1, 2, 3]) sync.endLocally("dovecot", addressAt(n));
  await sync.settled();
  assert.deepEqual(await inKernel(), [addressAt(2)]);
});

test("a ban of this host's own does not touch an allowed address", async () => {
  await using host = await setUp();
  const { sync, allow, inKernel } = host;
  allow("198.51.100.1");
  sync.banLocally({ ...banOn(addressAt(1)), by: BY_THIS_HOST });
  await sync.settled();
  assert.deepEqual(await inKernel(), []);
});

test("a new state of a ban that this host has given is reported, and only of such", async () => {
  await using host = await setUp();
  const { sync, told, put, begin, finish } = host;
  begin();
  finish();
  sync.banLocally({ ...banOn(addressAt(1)), by: BY_THIS_HOST });
  put(banOn(addressAt(2)));
  put(banOn(addressAt(1), "held"));
  put(banOn(addressAt(1)));
  assert.deepEqual(told.decided, [
    [addressAt(1), false],
    [addressAt(1), true],
  ]);
});

test("a ban for other hosts, and one of a jail of other hosts, is not in the kernel", async () => {
  await using host = await setUp();
  const { sync, told, put, begin, finish, inKernel } = host;
  begin();
  finish();
  put({ ...banOn(addressAt(1)), hosts: ["mx2"] });
  put({ ...banOn(addressAt(2)), hosts: ["mx2", "mx1"] });
  put({ ...banOn(addressAt(3)), state: "shadow" });
  await sync.settled();
  assert.deepEqual(await inKernel(), [addressAt(2)]);
  put(banOn(addressAt(1))); // Another host has confirmed it.
  await sync.settled();
  assert.deepEqual(await inKernel(), [addressAt(1), addressAt(2)]);
  assert.deepEqual(sync.state().refused, []);
  told.isOfThisHost = false;
  sync.settingsChanged();
  await eventually("nothing is banned here", async () => (await inKernel()).length === 0);
});

test("a set in the kernel is replaced only by a bucket that is read as a whole and declared complete", async () => {
  await using host = await setUp();
  const { sync, told, put, begin, finish, inKernel } = host;
  await sync.restore([banOn(addressAt(9))]);
  begin();
  put(banOn(addressAt(1)));
  await sync.settled();
  assert.deepEqual(await inKernel(), [addressAt(9)], "while it is read nothing is changed");
  finish();
  await sync.settled();
  assert.deepEqual(await inKernel(), [addressAt(1), addressAt(9)], "it is not declared complete");
  told.readyFor = BUCKET;
  begin();
  finish(false);
  sync.settingsChanged();
  await sync.settled();
  assert.deepEqual(await inKernel(), [addressAt(1), addressAt(9)], "entries are missing");
  assert.equal(sync.held(), undefined);
  begin();
  finish();
  await sync.settled();
  assert.deepEqual(await inKernel(), [addressAt(1)]);
  assert.deepEqual(
    [...(sync.held() ?? [])].map(({ address }) => address),
    [addressAt(1)],
  );
});

test("a bucket that is read anew while the set is made ready replaces nothing", async () => {
  await using host = await setUp();
  const { sync, told, put, begin, finish, inKernel, firewall, lose } = host;
  told.readyFor = BUCKET;
  begin();
  put(banOn(addressAt(1)));
  put(banOn(addressAt(2)));
  finish();
  await sync.settled();
  begin();
  lose(banOn(addressAt(2)));
  finish();
  begin(); // before the queue has had its turn
  await sync.settled();
  assert.deepEqual(await inKernel(), [addressAt(1), addressAt(2)]);
  assert.equal(await firewall.count(), 2);
  finish();
  await sync.settled();
  assert.deepEqual(await inKernel(), [addressAt(1)]);
});

test("every ban that an entry of the allowlist kept out is in force again without the entry, however many", async () => {
  await using host = await setUp();
  const { sync, told, put, begin, finish, allow, disallow, firewall } = host;
  told.readyFor = BUCKET;
  allow("198.51.100.0/24");
  begin();
  for (let n = 0; n < 200; n += 1) put(banOn(addressAt(n)));
  put(banOn(parseNetwork("192.0.2.1")!));
  finish();
  await sync.settled();
  assert.equal(await firewall.count(), 1);
  assert.equal(sync.state().refused.length, 20, "as many as a status shows");
  disallow("198.51.100.0/24");
  await eventually("all are in force", async () => (await firewall.count()) === 201);
  allow("198.51.100.0/25");
  await eventually("half of them are spared", async () => (await firewall.count()) === 201 - 128);
});

test("a new ban waits for one portion of the bans that an entry of the allowlist ends", async () => {
  await using host = await setUp();
  const { sync, put, begin, finish, firewall, allow, unbanning } = host;
  begin();
  for (let n = 0; n < 2_000; n += 1) {
    put(banOn(parseNetwork(`198.18.${n >> 8}.${n & 255}`)!));
  }
  finish();
  await sync.settled();
  /** How many of them were in force, each time that some had to go. */
  const left: number[] = [];
  unbanning.isAsked = () => {
    left.push(sync.state().bansInForce);
    if (left.length === 1) put(banOn(addressAt(1)));
  };
  allow("198.18.0.0/16");
  await eventually("only the new ban is in force", async () => (await firewall.count()) === 1);
  const [before = 0, after = 0] = left;
  assert.equal(before, 2_000);
  const portion = before + 1 - after;
  assert.ok(portion <= 500, `the new ban was in force behind ${portion} others`);
});

test("a ban, and the end of one, do not wait until all bans are replaced", async () => {
  await using host = await setUp();
  const { sync, told, put, begin, finish, inKernel, replacing } = host;
  await sync.restore([banOn(addressAt(2))]);
  told.readyFor = BUCKET;
  begin();
  put(banOn(addressAt(1)));
  put(banOn(addressAt(2)));
  const goOn = replacing.pause();
  finish();
  await eventually("it is being replaced", replacing.isUnderWay);
  put(banOn(addressAt(3)));
  put(banOn(addressAt(2), "lifted"));
  await eventually("both are done", async () => (await inKernel()).join() === addressAt(3));
  assert.equal(sync.held(), undefined, "that all bans are in force is not claimed yet");
  assert.equal(sync.state().revision, 0);
  goOn();
  await sync.settled();
  assert.deepEqual(await inKernel(), [addressAt(1), addressAt(3)]);
  assert.deepEqual([sync.state().revision, sync.state().bansInForce], [4, 2]);
});

test("a ban that comes while an empty bucket is swapped in counts as applied", async () => {
  await using host = await setUp();
  const { sync, told, put, begin, finish, inKernel, replacing } = host;
  told.readyFor = BUCKET;
  begin();
  const goOn = replacing.pause();
  finish();
  await eventually("it is being replaced", replacing.isUnderWay);
  put(banOn(addressAt(1)));
  await eventually("it is in force", async () => (await inKernel()).length === 1);
  goOn();
  await sync.settled();
  assert.deepEqual([sync.state().revision, sync.state().bansInForce], [1, 1]);
});

test("a ban that NATS delivers ahead is in force while the bucket is read, and outlasts its replacement", async () => {
  await using host = await setUp();
  const { sync, told, put, begin, finish, inKernel, deliverAhead, readUpTo } = host;
  await sync.restore([banOn(addressAt(9))]);
  told.readyFor = BUCKET;
  begin();
  put(banOn(addressAt(1)));
  put(banOn(addressAt(3)));
  deliverAhead(banOn(addressAt(2)));
  deliverAhead(banOn(addressAt(3), "lifted"));
  await sync.settled();
  assert.deepEqual(await inKernel(), [addressAt(2), addressAt(9)]);
  assert.equal(sync.held(), undefined, "that all bans are in force is not claimed");
  assert.equal(sync.state().revision, 0);
  finish();
  await sync.settled();
  assert.deepEqual(await inKernel(), [addressAt(1), addressAt(2)]);
  assert.equal(sync.state().revision, 2, "the mirror has not read it yet");
  readUpTo(999);
  put(banOn(addressAt(2)));
  put(banOn(addressAt(2), "lifted"));
  await sync.settled();
  assert.deepEqual(await inKernel(), [addressAt(1)]);
});

test("a ban that NATS delivers ahead is given to the kernel once", async () => {
  await using host = await setUp();
  const { sync, put, begin, finish, deliverAhead, readUpTo, given, allow, inKernel } = host;
  begin();
  finish();
  deliverAhead(banOn(addressAt(1)));
  await sync.settled();
  readUpTo(999);
  put(banOn(addressAt(1)));
  await sync.settled();
  assert.deepEqual([given, sync.state().revision], [[addressAt(1)], 1_000]);
  deliverAhead(banOn(addressAt(2)));
  await sync.settled();
  put(banOn(addressAt(2)));
  await sync.settled();
  assert.deepEqual(given, [addressAt(1), addressAt(2), addressAt(2)], "another state of the ban");
  allow(addressAt(1));
  await sync.settled();
  assert.deepEqual(await inKernel(), [addressAt(2)]);
});

test("a ban that NATS delivers ahead counts beside one that this host gives alone", async () => {
  await using host = await setUp();
  const { sync, begin, deliverAhead, firewall, inKernel } = host;
  const now = Date.now();
  const [address, other] = [addressAt(1), addressAt(2)];
  begin();
  deliverAhead({ ...banOn(address), until: now + 3_600_000 });
  deliverAhead(banOn(other));
  await sync.settled();
  sync.banLocally({ ...banOn(address), until: now + 600_000, by: BY_THIS_HOST });
  sync.banLocally({ ...banOn(other), until: now + 600_000, by: BY_THIS_HOST });
  sync.endLocally("dovecot", other);
  await sync.settled();
  assert.deepEqual(await inKernel(), [address, other]);
  const seconds = (await firewall.list()).find((ban) => ban.address === address)?.seconds ?? 0;
  assert.ok(seconds > 3_000, "the fleet's ban is longer, and stays in force");
  assert.equal(sync.fleetBan("dovecot", address)?.until, now + 3_600_000);
});

test("a ban that NATS delivers ahead waits for the allowlist if the decider has made it", async () => {
  await using host = await setUp();
  const { sync, told, allow, begin, inKernel, deliverAhead } = host;
  told.isKnown = false;
  begin();
  deliverAhead(banOn(addressAt(1)));
  deliverAhead(banOn(addressAt(2)));
  deliverAhead({ ...banOn(addressAt(3)), by: "operator alice" });
  await sync.settled();
  assert.deepEqual(await inKernel(), [addressAt(3)]);
  told.isKnown = true;
  allow(addressAt(2));
  await sync.settled();
  assert.deepEqual(await inKernel(), [addressAt(1), addressAt(3)]);
});

test("a ban that was lifted leaves the kernel", async () => {
  await using host = await setUp();
  const { sync, told, put, begin, finish, inKernel } = host;
  told.readyFor = BUCKET;
  begin();
  put(banOn(addressAt(1)));
  put(banOn(addressAt(2)));
  finish();
  await sync.settled();
  put(banOn(addressAt(1), "lifted"));
  await sync.settled();
  assert.deepEqual(await inKernel(), [addressAt(2)]);
  assert.deepEqual([sync.state().revision, sync.state().bansInForce], [3, 1]);
});

test("a replacement that the firewall refuses is shown, ends nothing, and is tried until it is taken", async () => {
  await using host = await setUp();
  const { sync, nftables, told, put, begin, finish, inKernel } = host;
  await sync.restore([banOn(addressAt(9))]);
  told.readyFor = BUCKET;
  nftables.isRefusing = true;
  begin();
  put(banOn(addressAt(1)));
  finish();
  await sync.settled();
  assert.deepEqual(await inKernel(), [addressAt(9)]);
  assert.match(sync.trouble().refusals.join(), /Operation not permitted/);
  assert.deepEqual([sync.held(), sync.state().revision], [undefined, 0], "nothing is claimed");
  nftables.isRefusing = false;
  await eventually("it is replaced", async () => (await inKernel()).join() === addressAt(1));
  await eventually("nothing is refused", () => sync.trouble().refusals.length === 0);
  assert.deepEqual([sync.state().revision, sync.state().bansInForce], [1, 1]);
  assert.equal(sync.trouble().kernelRejected, undefined);
});

test("a ban whose end the firewall refuses counts as in force, and ends as soon as it is taken", async () => {
  await using host = await setUp();
  const { sync, nftables, told, put, begin, finish, inKernel } = host;
  told.readyFor = BUCKET;
  begin();
  put(banOn(addressAt(1)));
  finish();
  await sync.settled();
  nftables.isRefusing = true;
  put(banOn(addressAt(1), "lifted"));
  await sync.settled();
  assert.deepEqual([sync.state().revision, sync.state().bansInForce], [1, 1]);
  assert.equal(sync.trouble().refusals.length, 1);
  nftables.isRefusing = false;
  await eventually("it is lifted", async () => (await inKernel()).length === 0);
  await eventually("nothing is refused", () => sync.trouble().refusals.length === 0);
  assert.deepEqual([sync.state().revision, sync.state().bansInForce], [2, 0]);
});

test("bans of before are in force again when the firewall takes them", async () => {
  await using host = await setUp({ repairEveryMs: 20 });
  const { sync, nftables, inKernel } = host;
  nftables.isRefusing = true;
  await sync.restore([banOn(addressAt(9))]);
  assert.deepEqual(await inKernel(), []);
  assert.equal(sync.trouble().kernelRejected?.count, 1);
  nftables.isRefusing = false;
  await eventually("it is in force", async () => (await inKernel()).join() === addressAt(9));
});

test("a firewall that refuses everything leaves a few short lines in the log and in the status", async () => {
  await using host = await setUp();
  const { sync, nftables, told, put, begin, finish, logged } = host;
  nftables.isRefusing = true;
  nftables.says = `Error: Operation not permitted ${"x".repeat(5_000)}\n${"y".repeat(5_000)}`;
  told.readyFor = BUCKET;
  begin();
  for (let n = 0; n < 200; n += 1) put(banOn(addressAt(n)));
  finish();
  await eventually("all are tried", () => sync.trouble().kernelRejected?.count === 200);
  assert.ok(sync.state().refused.every(({ reason }) => reason.length <= 256));
  assert.ok(logged().length < 10_000, `${logged().length} characters`);
});

test("a ban that somebody has taken out of the kernel is in force again, and one that runs out is not missed", async () => {
  await using host = await setUp({ repairEveryMs: 20 });
  const { sync, firewall, told, put, begin, finish, inKernel } = host;
  told.readyFor = BUCKET;
  begin();
  for (const n of [1, 2, 3]) put(banOn(addressAt(n)));
  put({ ...banOn(addressAt(4)), until: Date.now() + 30_000 });
  finish();
  await eventually("all are in the kernel", async () => (await inKernel()).length === 4);
  await firewall.unban([banOn(addressAt(4))]);
  await sync.settled();
  assert.equal(sync.state().repairs, 0);
  await firewall.unban([banOn(addressAt(2))]);
  await eventually("it is back", async () => (await inKernel()).includes(addressAt(2)));
  assert.equal(sync.state().repairs, 1);
});

test("a ban that somebody has taken out of the kernel is in force again, also where another address was put in", async () => {
  await using host = await setUp({ repairEveryMs: 5 });
  const { sync, firewall, told, put, begin, finish, inKernel } = host;
  told.readyFor = BUCKET;
  begin();
  for (const n of [1, 2, 3]) put(banOn(addressAt(n)));
  finish();
  await eventually("all are in the kernel", async () => (await inKernel()).length === 3);
  await sync.settled();
  await Promise.all([
    firewall.ban([{ jail: "dovecot", address: addressAt(9), seconds: undefined }]),
    firewall.unban([banOn(addressAt(2))]),
  ]);
  await eventually("it is back", async () => (await inKernel()).includes(addressAt(2)));
  assert.deepEqual((await inKernel()).sort(), [1, 2, 3].map(addressAt).sort());
  assert.equal(sync.state().repairs, 1);
});
