/** The record of the fleet in a real PostgreSQL, written from a real nats-server. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import pg from "pg";
import { pino } from "pino";
import { migrate } from "../../prisma/migrate.ts";
import { openHistory, type History } from "../../services/coordinator/history/history.ts";
import { openDatabase, type Database } from "../../services/coordinator/history/database.ts";
import { openRecordingSource } from "../../services/coordinator/history/recording-source.ts";
import { insertBanChanges } from "../../services/coordinator/history/insert.ts";
import {
  readBansToRestore,
  type RestoreQuery,
} from "../../services/coordinator/history/ban-queries.ts";
import { findFailures } from "../../services/coordinator/history/failure-queries.ts";
import { recordFailures } from "../../services/coordinator/history/reported.ts";
import { createWhereabouts } from "../../services/coordinator/history/whereabouts.ts";
import { isOffence } from "../../services/policy/ban-memory.ts";
import { ensureStreams } from "../../services/coordinator/upkeep/ensure-streams.ts";
import { createLog } from "../../services/process/log.ts";
import { parseNetwork } from "../../services/wire/address.ts";
import { decodeBan, encodeBan, type Ban } from "../../services/wire/ban.ts";
import {
  decodeFailureBatch,
  encodeFailureBatch,
  type Failure,
  type FailureBatch,
} from "../../services/wire/failure.ts";
import { decodeHostStatus, encodeHostStatus, type HostStatus } from "../../services/wire/status.ts";
import { banKey, failureSubject, statusSubject } from "../../services/wire/subjects.ts";
import { eventually } from "../harness/eventually.ts";
import { RECORDING_SUITE } from "../harness/recording-suite.ts";
import { startTestServers } from "../harness/servers.ts";
import type { TestNats, TestPostgres } from "../harness/servers.ts";

const T0 = Date.UTC(2026, 10, 24);
const ALL = { limit: 1_000, after: null };
const address = parseNetwork("198.51.100.7")!;
const nowhere = createWhereabouts(undefined);
const silent = createLog("history.test", "silent");

let nats: TestNats;
let postgres: TestPostgres;
before(async () => {
  [nats, postgres] = await startTestServers();
});
after(async () => {
  await Promise.all([nats[Symbol.asyncDispose](), postgres[Symbol.asyncDispose]()]);
});

/** One batch with a failure for each of `given`. */
function batchOf(host: string, from: number, ...given: readonly Partial<Failure>[]): FailureBatch {
  const failures = given.map((each, index) => {
    return { position: from + index + 1, address, at: T0, attempts: 1, form: "login", ...each };
  });
  const place = {
    source: "mail-log",
    epoch: "e1",
    sentAt: Date.now(),
    from,
    to: from + given.length,
  };
  return { v: 1, host, jail: "dovecot", ...place, failures };
}

async function bansToRestore(database: Database, query: RestoreQuery): Promise<Ban[]> {
  const bans: Ban[] = [];
  for await (const part of readBansToRestore(database, query)) bans.push(...part);
  return bans;
}

const ban: Ban = {
  ...{ v: 1, change: randomUUID(), jail: "dovecot", address, state: "active" },
  ...{ startsAt: T0, until: null, changedAt: T0, reason: "because", offence: 1 },
  ...{
    evidence: [{ host: "mx1", failures: 5 }],
    by: "decider",
    immuneUntil: null,
    countedUntil: T0,
    policyVersion: "0123abcd",
  },
};

/** A database of its own, with its tables. */
async function openEmpty(): Promise<Database & AsyncDisposable> {
  const url = await postgres.createDatabase();
  await migrate(url);
  const database = openDatabase({ url, log: silent });
  return { ...database, [Symbol.asyncDispose]: () => database.close() };
}

interface Recording extends AsyncDisposable {
  history: History;
  connection: NatsConnection;
  lines: string[];
  publish(batch: FailureBatch): Promise<unknown>;
  users(): Promise<(string | null)[]>;
  databaseUrl: string;
}

/** A recorder at work, over streams and a database of its own. */
async function record(): Promise<Recording> {
  await nats.stop();
  await nats.wipe();
  await nats.start();
  const connection = await connect({ servers: nats.url, maxReconnectAttempts: -1 });
  await ensureStreams(connection, {
    longestFindtime: 1200,
    replicas: 1,
    failuresMaxBytes: 2 ** 26,
  });
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line) => void lines.push(line) });
  const databaseUrl = await postgres.createDatabase();
  const history = openHistory({
    databaseUrl,
    connection,
    isLeader: () => true,
    retention: { failures: null, bans: null },
    log,
  });
  const js = jetstream(connection);
  return {
    history,
    connection,
    lines,
    databaseUrl,
    publish: (batch) =>
      js.publish(failureSubject(batch.jail, batch.host), encodeFailureBatch(batch)),
    users: async () => (await history.failures(ALL)).map(({ row }) => row.user),
    async [Symbol.asyncDispose]() {
      await history.close();
      await connection.close();
    },
  };
}

const isRecorded = ({ users }: Recording, ...expected: string[]) =>
  eventually(`${expected.join(", ")} are recorded`, async () => {
    const found = await users();
    return expected.every((user) => found.includes(user));
  });

const isUpToDate = ({ history }: Recording) =>
  eventually("nothing is left to record", async () => (await history.lag()) === 0);

test("migrations make the tables, and do nothing where they are, also two at a time", async () => {
  const url = await postgres.createDatabase();
  const [first, second] = await Promise.all([migrate(url), migrate(url)]);
  assert.ok(first.length + second.length > 0);
  assert.ok(first.length === 0 || second.length === 0, "each is applied by one of them");
  assert.deepEqual(await migrate(url), []);
});

test("a batch and a ban that are recorded twice are there once", async () => {
  await using database = await openEmpty();
  const batch = batchOf("mx1", 0, { user: "a" }, { user: "b" });
  const wider = batchOf("mx1", 0, { user: "a" }, { user: "b" }, { user: "c" });
  await database.ask((prisma) => recordFailures(prisma, [batch, batch], nowhere));
  await database.ask((prisma) => recordFailures(prisma, [batch, wider], nowhere));
  const found = await database.ask((prisma) => findFailures(prisma, ALL));
  const rows = found.map(({ row }) => row);
  assert.deepEqual(rows.map(({ user }) => user).sort(), ["a", "b", "c"]);
  for (let time = 0; time < 2; time += 1) {
    await database.ask((prisma) => insertBanChanges(prisma, [{ ban, revision: 1 }]));
  }
  assert.equal(await database.ask((prisma) => prisma.banChange.count()), 1);
});

test("failures of every host, source and epoch are rows of their own", async () => {
  await using database = await openEmpty();
  const batch = batchOf("mx1", 0, {});
  const others = [{ host: "mx2" }, { source: "journal" }, { epoch: "e2" }];
  const batches = [batch, ...others.map((other) => ({ ...batch, ...other }))];
  await database.ask((prisma) => recordFailures(prisma, batches, nowhere));
  assert.equal(await database.ask((prisma) => prisma.failure.count()), 4);
});

test("hostile text is recorded as text, and what cannot be stored is replaced", async () => {
  await using database = await openEmpty();
  const texts = {
    'it\'s "quoted" \\ $1 {a,b} NULL': undefined,
    "'); DROP TABLE failure; --": undefined,
    '{"a": ["b", null]}': undefined,
    "": undefined,
    NULL: undefined,
    "a\0b\0": "a\ufffdb\ufffd",
    "\ud83dcut": "\ufffdcut",
    "cut\ude00": "cut\ufffd",
    "\x1b]0;owned\x07\u202e\r\n": undefined,
    ["\u6f22".repeat(256)]: undefined,
  };
  const given = Object.keys(texts);
  const failures = given.map((user) => {
    return { user, service: user.slice(0, 32), session: user.slice(0, 64) };
  });
  // What cannot be stored is replaced where it enters, which is in decoding.
  const sent = encodeFailureBatch(batchOf("mx1", 0, ...failures));
  const received = decodeFailureBatch(sent, failureSubject("dovecot", "mx1"));
  await database.ask((prisma) => recordFailures(prisma, [received], nowhere));
  const found = await database.ask((prisma) => findFailures(prisma, ALL));
  const rows = found.map(({ row }) => row);
  const expected = Object.entries(texts).map(([text, stored]) => stored ?? text);
  assert.deepEqual(rows.map(({ user }) => user).reverse(), expected);

  const changes = given.map((reason, index) => {
    const each = { ...ban, change: randomUUID(), address: parseNetwork(`192.0.2.${index}`)! };
    const sent = encodeBan({ ...each, reason, by: reason });
    return { ban: decodeBan(sent, banKey(each.jail, each.address)), revision: index + 1 };
  });
  await database.ask((prisma) => insertBanChanges(prisma, changes));
  const bans = await bansToRestore(database, { now: T0, keptSeconds: 0 });
  assert.deepEqual(bans.map(({ reason }) => reason).sort(), expected.sort());
});

test("a ban of a network is restored with the addresses that brought it", async () => {
  await using database = await openEmpty();
  const [address, one] = [parseNetwork("2001:db8::/64")!, parseNetwork("2001:db8::1")!];
  const basis = { addresses: [{ address: one, failures: 5 }], bans: [{ jail: "x", bans: 2 }] };
  const of64 = { ...ban, address, basis, earlier: [T0 - 60_000, T0 - 30_000] };
  const changes = [of64, { ...ban, change: randomUUID() }];
  await database.ask((prisma) =>
    insertBanChanges(
      prisma,
      changes.map((each, index) => ({ ban: each, revision: index + 1 })),
    ),
  );
  const bans = await bansToRestore(database, { now: T0, keptSeconds: 0 });
  assert.deepEqual(new Set(bans), new Set(changes));
});

test("a held ban, a shadow and a held widening are restored with the reason, also when they have ended", async () => {
  await using database = await openEmpty();
  const of = (last: number, rest: Partial<Ban>): Ban => {
    return { ...ban, change: randomUUID(), address: parseNetwork(`192.0.2.${last}`)!, ...rest };
  };
  const until = T0 + 1_000;
  const changes = [
    of(1, { state: "held", held: "host mx1 has caused too many" }),
    of(2, { state: "shadow", held: "jail dovecot is in shadow mode" }),
    of(3, { held: "host mx2 has caused too many", hosts: ["mx1"] }),
    of(4, { state: "expired", held: "jail dovecot is in shadow mode", until, changedAt: until }),
  ];
  const rows = changes.map((each, index) => ({ ban: each, revision: index + 1 }));
  await database.ask((prisma) => insertBanChanges(prisma, rows));
  const bans = await bansToRestore(database, { now: T0 + 2_000, keptSeconds: 60 });
  assert.deepEqual(new Set(bans), new Set(changes));
  assert.deepEqual(bans.map(isOffence).sort(), [false, false, false, true]);
});

test("bans that have ended are restored as long as they are remembered", async () => {
  await using database = await openEmpty();
  const HOUR = 3_600_000;
  const ended = (state: Ban["state"], until: number, last: number): Ban => {
    const address = parseNetwork(`192.0.2.${last}`)!;
    return { ...ban, change: randomUUID(), address, state, until, changedAt: until };
  };
  const expired = ended("expired", T0 - HOUR, 1);
  // NATS has lost that it has ended.
  const active = { ...ended("active", T0 - HOUR, 2), changedAt: T0 - 100 * HOUR };
  const lifted = ended("lifted", T0 - HOUR, 3);
  const old = ended("expired", T0 - 3 * HOUR, 4);
  const rows = [expired, active, lifted, old].map((each, index) => {
    return { ban: each, revision: index + 1 };
  });
  await database.ask((prisma) => insertBanChanges(prisma, rows));
  const find = (keptSeconds: number, most?: number) =>
    bansToRestore(database, { now: T0, keptSeconds, ...(most !== undefined && { most }) });
  assert.deepEqual(await find(0), []);
  assert.deepEqual(await find(7200), [expired, active, lifted]);
  for (const most of [1, 2, 3]) {
    assert.deepEqual(await find(7200, most), [expired, active, lifted], `in parts of ${most}`);
  }
});

test("any instant and position that the wire allows can be recorded", async () => {
  await using database = await openEmpty();
  const year = (text: string) => ({ at: Date.parse(`${text}-01-01T00:00:00.000Z`) });
  const extremes = [year("0000"), year("0001"), year("9999"), { attempts: 1_000 }];
  const last = { position: Number.MAX_SAFE_INTEGER };
  const batch = batchOf("mx1", 0, ...extremes, last);
  await database.ask((prisma) => recordFailures(prisma, [batch], nowhere));
  const found = await database.ask((prisma) => findFailures(prisma, ALL));
  const rows = found.map(({ row }) => row);
  assert.equal(rows.length, 5);
  assert.deepEqual(
    rows
      .map(({ at }) => at)
      .sort()
      .at(-1),
    year("9999").at,
  );
});

test("a recorder goes on after PostgreSQL was away, and loses nothing of that time", async () => {
  await using recording = await record();
  await recording.publish(batchOf("mx1", 0, { user: "before" }));
  await isRecorded(recording, "before");
  await isUpToDate(recording);
  await postgres.stop();
  try {
    await recording.publish(batchOf("mx1", 1, { user: "during" }));
    await eventually("the history says that it is away", () => !recording.history.reachable());
    await assert.rejects(recording.history.failures(ALL), { name: "HistoryUnavailable" });
    await eventually("it waits", async () => ((await recording.history.lag()) ?? 0) > 0);
  } finally {
    await postgres.start();
  }
  await recording.publish(batchOf("mx1", 2, { user: "after" }));
  await isRecorded(recording, "before", "during", "after");
  assert.equal((await recording.users()).length, 3);
  await isUpToDate(recording);
  const said = recording.lines.filter((line) => line.includes("cannot be reached, keeps trying"));
  assert.equal(said.length, 1);
});

test("a recorder that was there before the first message records on after a reconnect", async () => {
  await using recording = await record();
  const database = openDatabase({ url: recording.databaseUrl, log: silent });
  try {
    await eventually("its places are known", async () => {
      return (await database.ask((prisma) => prisma.recorded.count())) === 3;
    });
  } finally {
    await database.close();
  }
  await nats.stop();
  await nats.start();
  await eventually("it is stored", () => recording.publish(batchOf("mx1", 0, { user: "first" })));
  await isRecorded(recording, "first");
});

test("what nobody can decode is skipped, and complained of once a host and minute", async () => {
  await using recording = await record();
  const js = jetstream(recording.connection);
  const garbage = [Buffer.from([0xff, 0, 0x7b]), Buffer.from("{}"), Buffer.alloc(0)];
  for (const [jail, host] of [
    ["dovecot", "mx1"],
    ["dovecot", "mx2"],
    ["sshd", "mx1"],
  ] as const) {
    for (const bytes of garbage) await js.publish(failureSubject(jail, host), bytes);
  }
  await recording.publish(batchOf("mx1", 0, { user: "afterwards" }));
  await isRecorded(recording, "afterwards");
  const said = recording.lines.filter((line) => line.includes("not recorded"));
  assert.deepEqual(
    said.map((line) => /failures\.(\S+?)"/.exec(line)?.[1]),
    ["dovecot.mx1", "dovecot.mx2"],
  );
  await isUpToDate(recording);
});

test("what PostgreSQL refuses is skipped alone, and keeps nothing else from being recorded", async () => {
  await using recording = await record();
  const { publish, users, lines, databaseUrl } = recording;
  await publish(batchOf("mx1", 0, { user: "first" }));
  await isRecorded(recording, "first");
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(`ALTER TABLE failure ADD CHECK ("user" <> 'poison')`);
  await client.end();
  const names = ["a", "b", "poison", "c", "d"];
  await Promise.all(names.map((user, index) => publish(batchOf("mx1", index + 1, { user }))));
  await isRecorded(recording, "a", "b", "c", "d");
  await isUpToDate(recording);
  assert.ok(!(await users()).includes("poison"));
  const refusals = lines.filter((line) => line.includes("not recorded"));
  assert.equal(refusals.length, 1);
});

test("3,000 statuses with text that PostgreSQL cannot hold cost no roll-back, and keep no honest host off the record", async () => {
  const rollbacks = async (databaseUrl: string) => {
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    const { rows } = await client.query<{ count: string }>(
      "SELECT xact_rollback AS count FROM pg_stat_database WHERE datname = current_database()",
    );
    await client.end();
    return Number(rows[0]?.count);
  };
  const status = (host: string, text: string): HostStatus => {
    const sent = encodeHostStatus({
      ...{ v: 1, host, instance: randomUUID(), version: text, firewall: text },
      ...{ startedAt: T0, sentAt: T0, revision: 0, bansCreated: null, bansInForce: 0 },
      ...{ addresses: [], sources: [], refused: [], repairs: 0, warnings: [] },
    });
    return decodeHostStatus(sent, statusSubject(host));
  };
  let before = 0;
  let databaseUrl = "";
  {
    await using recording = await record();
    const { history, publish } = recording;
    databaseUrl = recording.databaseUrl;
    await publish(batchOf("mx1", 0, { user: "first" })); // PostgreSQL is reached
    await isRecorded(recording, "first");
    before = await rollbacks(databaseUrl);
    for (let n = 0; n < 3_000; n += 1) {
      history.hostSeen(status(`bad-${n}`, n % 2 === 0 ? "0.1\0" : "\ud83d cut"), T0);
      if (n === 1_500) history.hostSeen(status("honest", "0.1.0"), T0);
    }
    await eventually(
      "all hosts are on record",
      async () => (await history.hosts()).length === 3_001,
      60,
    );
    const hosts = await history.hosts();
    assert.ok(hosts.some(({ host }) => host === "honest"));
  }
  // PostgreSQL counts when a connection ends.
  assert.equal(await rollbacks(databaseUrl), before);
});

for (const [sentence, check] of RECORDING_SUITE) {
  test(`NATS: ${sentence}`, async () => {
    const connection = await connect({ servers: nats.url });
    const manager = await jetstreamManager(connection);
    const stream = `RECORDED_${randomUUID()}`;
    await manager.streams.add({ name: stream, subjects: [stream] });
    await check({
      async publish(text) {
        await jetstream(connection).publish(stream, text);
      },
      async forget(sequence) {
        await manager.streams.purge(stream, { seq: sequence + 1 });
      },
      open: (place, onRolledBack) =>
        openRecordingSource({
          ...{ connection, stream, onRolledBack },
          recorded: () => Promise.resolve(place),
        }),
    });
    await connection.close();
  });
}
