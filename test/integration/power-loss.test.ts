/**
 * NATS's machine loses power: what NATS had not brought to the disk is gone, the streams are the same, and
 * what comes next gets the numbers of what was lost. A real nats-server; its disk is set back.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { jetstream } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { migrate } from "../../prisma/migrate.ts";
import { createDryRunFirewall } from "../../services/agent/enforce/firewall/dry-run.ts";
import { decodeHostBan } from "../../services/agent/enforce/ban-filter.ts";
import { createKernelSync } from "../../services/agent/enforce/kernel-sync.ts";
import { createNeverBan } from "../../services/agent/enforce/never-ban.ts";
import { openBanStore } from "../../services/coordinator/buckets/ban-store.ts";
import { Upkeep } from "../../services/coordinator/upkeep/upkeep.ts";
import { startFailureFeed } from "../../services/coordinator/decide/failure-feed.ts";
import { openHistory } from "../../services/coordinator/history/history.ts";
import { openSettings } from "../../services/coordinator/buckets/settings-store.ts";
import { ensureStreams } from "../../services/coordinator/upkeep/ensure-streams.ts";
import { createLog } from "../../services/process/log.ts";
import { mirrorBucket } from "../../services/nats/bucket-mirror.ts";
import { parseNetwork, type Address } from "../../services/wire/address.ts";
import { encodeBan, type Ban } from "../../services/wire/ban.ts";
import { createJailPauses } from "../../services/policy/jail-pause.ts";
import { encodeFailureBatch } from "../../services/wire/failure.ts";
import { banKey, BANS_BUCKET, failureSubject } from "../../services/wire/subjects.ts";
import { eventually } from "../harness/eventually.ts";
import { JAIL } from "../harness/jail.ts";
import {
  startTestNats,
  startTestPostgres,
  type TestNats,
  type TestPostgres,
} from "../harness/servers.ts";

const log = createLog("test", "silent");
const POLICY = {
  jails: [JAIL],
  published: [JAIL],
  allowed: [],
  longestFindtime: 1e9,
  keptSeconds: () => 0,
};
const A = parseNetwork("198.51.100.7")!;
const B = parseNetwork("198.51.100.8")!;

let postgres: TestPostgres;
before(async () => {
  postgres = await startTestPostgres();
});
after(() => postgres[Symbol.asyncDispose]());

interface Centre extends AsyncDisposable {
  nats: TestNats;
  /** Of who follows: comes back late, when others have written already. */
  connection: NatsConnection;
  /** Stores that many failures, each with a user name of its own. */
  fail(count: number): Promise<void>;
  /** User names so far, of failures that NATS has not lost. */
  users: string[];
  onRelease(stop: () => unknown): void;
}

async function start(): Promise<Centre> {
  const nats = await startTestNats();
  const connection = await connect({
    ...{ servers: nats.url, maxReconnectAttempts: -1 },
    reconnectDelayHandler: () => 500,
  });
  await ensureStreams(connection, {
    ...{ longestFindtime: 1200, replicas: 1, failuresMaxBytes: 2 ** 26 },
  });
  const releases: (() => unknown)[] = [];
  const users: string[] = [];
  let failures = 0;
  return {
    ...{ nats, connection, users },
    async fail(count) {
      const writer = await connect({ servers: nats.url });
      const end = failures + count;
      for (; failures < end; failures += 1) {
        const user = `user ${failures}`;
        const failure = { position: failures + 1, address: A, at: Date.now(), attempts: 1, user };
        const batch = encodeFailureBatch({
          ...{ v: 1, host: "mx1", jail: "dovecot", source: "mail", epoch: "e1" },
          ...{ sentAt: Date.now(), from: failures, to: failures + 1 },
          failures: [{ ...failure, form: "test" }],
        });
        await jetstream(writer).publish(failureSubject("dovecot", "mx1"), batch);
        users.push(user);
      }
      await writer.close();
    },
    onRelease: (stop) => releases.push(stop),
    async [Symbol.asyncDispose]() {
      for (const stop of releases.reverse()) await stop();
      await connection.close();
      await nats[Symbol.asyncDispose]();
    },
  };
}

/** Of 10 failures the last 5 are lost; then there are `count` more. */
async function loseFailures({ nats, fail, users }: Centre, isRead: () => unknown, count: number) {
  await fail(5);
  await nats.sync();
  await fail(5);
  await eventually("everything is read", () => isRead());
  await nats.losePower();
  users.splice(5);
  await nats.start();
  await fail(count);
}

for (const count of [2, 9]) {
  test(`of ${count} failures in place of 5 that NATS has lost, all are counted`, async () => {
    await using centre = await start();
    const taken = new Set<string>();
    const take = ({ data }: { data: Uint8Array }) => {
      const user = /user \d+/.exec(Buffer.from(data).toString())?.[0];
      taken.add(user ?? "");
    };
    const fold = startFailureFeed({ connection: centre.connection, horizon: 3_600_000, take, log });
    centre.onRelease(fold.stop);
    await loseFailures(centre, () => taken.size === 10, count);
    await eventually("all are counted", () => centre.users.every((user) => taken.has(user)));
  });

  test(`of ${count} failures in place of 5 that NATS has lost, all are on record`, async () => {
    await using centre = await start();
    const databaseUrl = await postgres.createDatabase();
    await migrate(databaseUrl);
    const { connection } = centre;
    const isLeader = () => true;
    const open = () =>
      openHistory({
        databaseUrl,
        connection,
        isLeader,
        retention: { failures: null, bans: null },
        log,
      });
    let history = open();
    centre.onRelease(() => history.close());
    const recorded = async () => {
      const rows = await history.failures({ limit: 100, after: null });
      return new Set(rows.map(({ row }) => row.user));
    };
    const isRead = async () => (await recorded()).size === 10 && (await history.lag()) === 0;
    const isRecorded = async () => {
      const found = await recorded();
      return centre.users.every((user) => found.has(user));
    };
    await loseFailures(centre, isRead, count);
    await eventually("all are on record", isRecorded);
    await eventually("none waits", async () => (await history.lag()) === 0);
    // The coordinator's machine may be the one that loses power.
    await history.close();
    await centre.nats.losePower();
    centre.users.splice(5);
    await centre.nats.start();
    await centre.fail(count);
    history = open();
    await eventually("all are on record again", isRecorded);
  });
}

function banOf(address: Address, changedAt: number): Ban {
  return {
    ...{ v: 1, change: randomUUID(), jail: "dovecot", address, state: "active" },
    ...{ startsAt: changedAt, until: null, changedAt, reason: "because", offence: 1 },
    ...{ evidence: [], by: "operator alice", immuneUntil: null, countedUntil: null },
  };
}

test("a ban and an unban that NATS has lost are written again", async () => {
  await using centre = await start();
  const { nats, connection } = centre;
  const bans = openBanStore({ connection, log, onBan: () => {} });
  centre.onRelease(() => bans.stop());
  const settings = openSettings({ connection, log });
  centre.onRelease(settings.stop);
  await bans.ready;
  await bans.change("dovecot", A, () => banOf(A, 1_000));
  await nats.sync();
  await bans.change("dovecot", B, () => banOf(B, 2_000));
  await bans.change("dovecot", A, () => ({ ...banOf(A, 2_000), state: "lifted" }));
  await nats.losePower();
  await nats.start();
  await eventually("the mirror is as the bucket", () => {
    return bans.get("dovecot", A)?.state === "active" && !bans.get("dovecot", B);
  });
  const duties = new Upkeep({
    ...{ bans, settings, isLeader: () => true, policy: () => POLICY, log },
    hosts: { get: () => undefined, refused: () => new Map<string, never>() },
    machines: { publishHosts: () => Promise.resolve() },
    brokenHosts: { publish: () => Promise.resolve() },
    names: { look: () => Promise.resolve(), entries: () => [], keeps: () => false, changes: 0 },
    quarantines: { forgetOld: () => Promise.resolve() },
    endedDrills: { endOld: () => Promise.resolve() },
    jailSettings: { endOld: () => Promise.resolve() },
    ...{ pauses: createJailPauses(), horizon: () => 2_400_000 },
    allowedBans: { settle: () => Promise.resolve() },
    history: {
      ...{ bansToRestore: async function* () {}, allowlist: () => Promise.resolve([]) },
      ...{ bansOf: () => Promise.resolve([]), operatorSettings: () => Promise.resolve([]) },
      stalled: () => undefined,
      ...{ recordedRevision: () => Promise.resolve(0), takeRolledBack: () => false },
    },
    ...{ now: Date.now, newId: randomUUID },
    newChange: () => ({ now: Date.now(), id: randomUUID() }),
  });
  await duties.round();
  await eventually("both are there again", () => {
    return bans.get("dovecot", A)?.state === "lifted" && bans.get("dovecot", B)?.state === "active";
  });
  assert.deepEqual(bans.takeTampered(), []);
});

for (const [how, readsHistory] of [
  ["", false],
  [", if it reads older states, too", true],
] as const) {
  test(`a host does not say that a ban is in force because one was that NATS has lost${how}`, async () => {
    await using centre = await start();
    const { nats, connection } = centre;
    const put = async (ban: Ban) => {
      const writer = await connect({ servers: nats.url });
      const subject = `$KV.${BANS_BUCKET}.${banKey("dovecot", ban.address)}`;
      await jetstream(writer).publish(subject, encodeBan(ban));
      await writer.close();
    };
    const firewall = createDryRunFirewall({ now: Date.now, say: () => {} });
    await firewall.open([JAIL]);
    let created: string | null = null;
    const settings = {
      ...{ jails: () => [JAIL], allowed: () => undefined, stop() {} },
      ...{ readyFor: () => created, isKnown: () => true, isJailOf: () => true },
    };
    const kernelSync = createKernelSync({
      ...{ host: "mx1", firewall, jails: [JAIL], jailsOpen: [JAIL], settings },
      neverBan: createNeverBan([]),
      ...{ repairEveryMs: 60_000, now: Date.now, log, onApplied() {}, onFailed: assert.ifError },
    });
    centre.onRelease(kernelSync.stop);
    kernelSync.follow((onEvent, onEntry) =>
      mirrorBucket({
        ...{ connection, bucket: BANS_BUCKET, decode: decodeHostBan, onEvent, log },
        ...(readsHistory && {
          ahead: { connectBeside: () => connect({ servers: nats.url }), onEntry },
        }),
      }),
    );
    created = await eventually(
      "the bucket is known",
      () => kernelSync.state().bansCreated ?? false,
    );
    kernelSync.settingsChanged();
    await put(banOf(A, 1_000));
    await nats.sync();
    await put(banOf(B, 2_000));
    await eventually("both are in force", () => kernelSync.state().revision === 2);
    await nats.losePower();
    await nats.start();
    await eventually("the second is gone", () => {
      const { revision, bansInForce } = kernelSync.state();
      return revision === 1 && bansInForce === 1;
    });
    await put(banOf(B, 3_000));
    await eventually("it is in force again", () => kernelSync.state().revision === 2);
    assert.deepEqual((await firewall.list()).map(({ address }) => address).sort(), [A, B]);
  });
}

test("an address that was unbanned stays immune when NATS loses all that it has stored", async () => {
  await using centre = await start();
  const { nats, connection } = centre;
  const databaseUrl = await postgres.createDatabase();
  await migrate(databaseUrl);
  const history = openHistory({
    databaseUrl,
    connection,
    isLeader: () => true,
    retention: { failures: null, bans: null },
    log,
  });
  centre.onRelease(() => history.close());
  const before = openBanStore({ connection, log, onBan: () => {} });
  await before.ready;
  const immuneUntil = Date.now() + 3_600_000;
  await before.change("dovecot", A, () => ({ ...banOf(A, 1_000), state: "lifted", immuneUntil }));
  await before.change("dovecot", B, () => banOf(B, 1_000));
  await eventually("both are on record", async () => (await history.recordedRevision()) === 2);
  before.stop(); // a coordinator that remembers nothing
  await nats.stop();
  await nats.wipe();
  await nats.start();
  await eventually("the streams are made anew", async () => {
    await ensureStreams(connection, {
      ...{ longestFindtime: 1200, replicas: 1, failuresMaxBytes: 2 ** 26 },
    });
    return true;
  });
  const bans = openBanStore({ connection, log, onBan: () => {} });
  centre.onRelease(() => bans.stop());
  const settings = openSettings({ connection, log });
  centre.onRelease(settings.stop);
  await bans.ready;
  const duties = new Upkeep({
    ...{ bans, settings, isLeader: () => true, policy: () => POLICY, log, history },
    hosts: { get: () => undefined, refused: () => new Map<string, never>() },
    machines: { publishHosts: () => Promise.resolve() },
    brokenHosts: { publish: () => Promise.resolve() },
    names: { look: () => Promise.resolve(), entries: () => [], keeps: () => false, changes: 0 },
    quarantines: { forgetOld: () => Promise.resolve() },
    endedDrills: { endOld: () => Promise.resolve() },
    jailSettings: { endOld: () => Promise.resolve() },
    ...{ pauses: createJailPauses(), horizon: () => 2_400_000 },
    allowedBans: { settle: () => Promise.resolve() },
    ...{ now: Date.now, newId: randomUUID },
    newChange: () => ({ now: Date.now(), id: randomUUID() }),
  });
  await eventually("both are there again", async () => {
    await duties.round();
    return bans.get("dovecot", B)?.state === "active" && bans.get("dovecot", A);
  });
  const { state, immuneUntil: restored } = bans.get("dovecot", A)!;
  assert.deepEqual([state, restored], ["lifted", immuneUntil]);
});
