/** The record in partitions by day: upkeep, `failure top`, erasing, and the way there from one table. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import pg from "pg";
import { readPrismaFiles } from "../../prisma/prisma-files.ts";
import { migrate } from "../../prisma/migrate.ts";
import { findAudit } from "../../services/coordinator/history/audit-queries.ts";
import { findBans, findChanges } from "../../services/coordinator/history/ban-queries.ts";
import { eraseFailures, findErasable } from "../../services/coordinator/history/erase-failures.ts";
import {
  findFailures,
  type FailureQuery,
} from "../../services/coordinator/history/failure-queries.ts";
import { findTop } from "../../services/coordinator/history/failure-top.ts";
import { insertBanChanges } from "../../services/coordinator/history/insert.ts";
import {
  DAY_MS,
  dayOf,
  FAILURES,
  listPartitions,
  spellDay,
} from "../../services/coordinator/history/partitions.ts";
import { recordFailures } from "../../services/coordinator/history/reported.ts";
import { keepRecord } from "../../services/coordinator/history/record-upkeep.ts";
import { createWhereabouts } from "../../services/coordinator/history/whereabouts.ts";
import { TOP_KINDS } from "../../services/wire/api.ts";
import { parseNetwork } from "../../services/wire/address.ts";
import type { Ban } from "../../services/wire/ban.ts";
import type { Failure, FailureBatch } from "../../services/wire/failure.ts";
import { eventually } from "../harness/eventually.ts";
import { openRecord as openRecordAt, type RecordDatabase } from "../harness/record-database.ts";
import { startTestPostgres, type TestPostgres } from "../harness/servers.ts";

/**
 * Noon of yesterday: nothing depends on the hour of the test, and midnight may pass while it runs.
 * PostgreSQL's clock is later.
 */
const NOW = new Date(dayOf(new Date()).getTime() - DAY_MS / 2);
const TODAY = dayOf(NOW).getTime();
const KEPT = { failures: 90 * 86_400, bans: 400 * 86_400 };
const addressOf = (text: string) => parseNetwork(text)!;
const nowhere = createWhereabouts(undefined);

let postgres: TestPostgres;
before(async () => {
  postgres = await startTestPostgres();
});
after(() => postgres[Symbol.asyncDispose]());

const openRecord = async (url?: string) => openRecordAt(url ?? (await postgres.createDatabase()));

let positions = 0;
function batchOf(...given: readonly Partial<Failure>[]): FailureBatch {
  const from = positions;
  positions += given.length;
  const failures = given.map((each, index) => ({
    ...{ position: from + index + 1, address: addressOf("198.51.100.7"), at: TODAY },
    ...{ attempts: 1, form: "login", ...each },
  }));
  const place = { source: "mail-log", epoch: "e1", sentAt: TODAY, from, to: positions };
  return { v: 1, host: "mx1", jail: "dovecot", ...place, failures };
}

/** Records failures as if PostgreSQL's clock showed `recordedAt`. */
async function recordAt(
  { database, client }: RecordDatabase,
  recordedAt: number,
  batch: FailureBatch,
) {
  await client.query(
    `ALTER TABLE failure ALTER recorded_at SET DEFAULT '${new Date(recordedAt).toISOString()}'`,
  );
  await database.ask((prisma) => recordFailures(prisma, [batch], nowhere));
  await client.query("ALTER TABLE failure ALTER recorded_at SET DEFAULT now()");
}

const partitionsOf = async ({ client }: RecordDatabase, table: string): Promise<string[]> => {
  const { rows } = await client.query<{ name: string }>(
    "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = $1::regclass",
    [table],
  );
  return rows.map(({ name }) => name).sort();
};

/** What `failure top` gives for each kind, and what the failures say by themselves. */
async function topsOf(record: RecordDatabase, since: number, until: number) {
  const { database } = record;
  const tops = [];
  for (const by of TOP_KINDS) {
    const query = { by, since, until, limit: 1_000 };
    tops.push([by, await database.ask((prisma) => findTop(prisma, query))] as const);
  }
  return Object.fromEntries(tops);
}

const isFailure = (text: string) => (failure: { name: string }) => failure.name === text;

const banOf = (given: Partial<Ban>): Ban => ({
  ...{ v: 1, change: randomUUID(), jail: "dovecot", address: addressOf("198.51.100.7") },
  ...{ state: "active", startsAt: TODAY, until: null, changedAt: TODAY, reason: "because" },
  ...{ offence: 1, evidence: [{ host: "mx1", failures: 5 }], by: "decider" },
  ...{ immuneUntil: null, countedUntil: TODAY, ...given },
});

test("days are made ahead, counted when they are over, and dropped when they are too old", async () => {
  await using record = await openRecord();
  const { client, database } = record;
  const dayName = (days: number) => spellDay(new Date(TODAY + days * DAY_MS)).replaceAll("-", "_");
  await keepRecord(client, KEPT, NOW);
  assert.deepEqual(await partitionsOf(record, "failure"), [
    ...[0, 1, 2, 3].map((days) => `failure_${dayName(days)}`),
    "failure_default",
  ]);
  await recordAt(record, TODAY + 1, batchOf({ at: TODAY }));
  assert.deepEqual(await partitionsOf(record, "failure_count"), []);

  const tomorrow = new Date(TODAY + DAY_MS + 3_600_000);
  const { counted } = await keepRecord(client, KEPT, tomorrow);
  assert.deepEqual(counted, [`failure_${dayName(0)}`]);
  assert.deepEqual(await partitionsOf(record, "failure_count"), [`failure_count_${dayName(0)}`]);
  const again = await keepRecord(client, KEPT, tomorrow);
  assert.deepEqual(again, { counted: [], dropped: [] });

  const justKept = new Date(TODAY + 91 * DAY_MS - 1);
  assert.deepEqual((await keepRecord(client, KEPT, justKept)).dropped, []);
  assert.equal(await database.ask((prisma) => prisma.failure.count()), 1);
  const { dropped } = await keepRecord(client, KEPT, new Date(TODAY + 91 * DAY_MS));
  assert.deepEqual(dropped, [`failure_${dayName(0)}`, `failure_count_${dayName(0)}`]);
  assert.equal(await database.ask((prisma) => prisma.failure.count()), 0);
});

test("what is recorded without a day's partition goes there when it is made", async () => {
  await using record = await openRecord();
  await recordAt(record, TODAY + 2 * DAY_MS, batchOf({ user: "early" }));
  await keepRecord(record.client, KEPT, NOW);
  const { rows } = await record.client.query("SELECT count(*)::int AS n FROM failure_default");
  assert.deepEqual(rows, [{ n: 0 }]);
  assert.equal(await record.database.ask((prisma) => prisma.failure.count()), 1);
});

test("a failure is recorded once, also by another day, after a restart and when it was erased", async () => {
  await using record = await openRecord();
  const { database } = record;
  const batch = batchOf({ user: "a" }, { user: "b" });
  await recordAt(record, TODAY - DAY_MS, batch);
  await recordAt(record, TODAY, { ...batch, failures: batch.failures.slice(1) });
  const users = async () =>
    (await database.ask((prisma) => findFailures(prisma, { limit: 10, after: null })))
      .map(({ row }) => row.user)
      .sort();
  assert.deepEqual(await users(), ["a", "b"]);
  const order = { by: "operator alice", reason: "", at: TODAY, id: "1", failures: 1 };
  await database.ask((prisma) => eraseFailures(prisma, { user: "a" }, order, () => false));
  await recordAt(record, TODAY, batch);
  assert.deepEqual(await users(), ["b"]);
});

test("of two coordinators that record the same at once, one does", async () => {
  await using record = await openRecord();
  const { database } = record;
  const batch = batchOf(...Array.from({ length: 200 }, (_, index) => ({ user: `u${index}` })));
  await Promise.all(
    [1, 2, 3, 4].map(() => database.ask((prisma) => recordFailures(prisma, [batch], nowhere))),
  );
  assert.equal(await database.ask((prisma) => prisma.failure.count()), 200);
});

test("failure top is exact over counted days, parts of days and today, also after erasing", async () => {
  await using record = await openRecord();
  const { client, database } = record;
  const names = ["alice@Example.org", "bob", "carol@example.org", "", "it's@\u6f22"];
  // Every six hours of five days, recorded at once or two days late.
  for (let hour = -5 * 24; hour <= 0; hour += 6) {
    const at = TODAY + hour * 3_600_000;
    const recordedAt = Math.min(at + (hour % 24 === 0 ? 2 * DAY_MS : 1), NOW.getTime());
    const failures = names.map((user, index) => ({
      ...{ at, user, attempts: index + 1 },
      address: addressOf(index === 4 ? "2001:db8:1:2::3" : `198.51.10${index % 2}.${index}`),
    }));
    await recordAt(record, recordedAt, batchOf(...failures, { at }));
  }
  const periods = [
    [TODAY - 5 * DAY_MS, TODAY + DAY_MS],
    [TODAY - 4 * DAY_MS + 3_600_000 * 5, TODAY - DAY_MS - 3_600_000],
    [TODAY - 3 * DAY_MS, TODAY - 2 * DAY_MS - 1],
    [TODAY - 3 * DAY_MS + 1, TODAY - 3 * DAY_MS + 7_200_000],
  ] as const;
  const all = () => Promise.all(periods.map(([since, until]) => topsOf(record, since, until)));
  const before = await all();
  assert.equal(before[0]?.["user"]?.rows.find(isFailure("bob"))?.attempts, 2 * 21);
  const counted: string[] = [];
  for (let days = -5; days <= 0; days += 1) {
    // As upkeep would have done it day by day.
    counted.push(
      ...(await keepRecord(client, KEPT, new Date(TODAY + days * DAY_MS + 3_600_000))).counted,
    );
  }
  assert.ok(counted.length >= 4, counted.join());
  assert.deepEqual(await all(), before);

  const whose = { user: "carol@example.org" };
  const { failures } = await database.ask((prisma) => findErasable(prisma, whose));
  const order = { by: "operator alice", reason: "request 1", at: TODAY, id: "1", failures };
  assert.equal(
    await database.ask((prisma) => eraseFailures(prisma, whose, order, () => false)),
    failures,
  );
  const after = await all();
  assert.notDeepEqual(after, before);
  await client.query("TRUNCATE failure_count");
  assert.deepEqual(after, await all(), "the numbers are those of the failures that are left");
  const { rows } = await client.query("SELECT detail FROM audit");
  assert.deepEqual(rows, [{ detail: `${failures} failures of a user: request 1` }]);
});

test("erasing leaves neither name nor address in any table", async () => {
  await using record = await openRecord();
  const { client, database } = record;
  await keepRecord(client, KEPT, new Date(TODAY - DAY_MS));
  const address = addressOf("203.0.113.9");
  await recordAt(record, TODAY - DAY_MS, batchOf({ user: "dave", address }, { user: "eve" }));
  await keepRecord(client, KEPT, NOW);
  const order = { by: "operator alice", reason: "", at: TODAY, id: "1", failures: 1 };
  await database.ask((prisma) => eraseFailures(prisma, { address }, order, () => false));
  for (const table of ["failure", "failure_count", "audit", "reported"]) {
    const { rows } = await client.query<{ row: string }>(
      `SELECT t::text AS row FROM ${table} AS t WHERE t::text ~ 'dave|203\\.0\\.113\\.9$'`,
    );
    assert.deepEqual(rows, [], table);
  }
});

test("lists go on behind a row, whatever was added meanwhile, without a gap or a double", async () => {
  await using record = await openRecord();
  const { database } = record;
  await keepRecord(record.client, KEPT, NOW);
  const many = Array.from({ length: 25 }, (_, index) => ({
    ...{ user: `u${index}@example.org`, at: TODAY - Math.floor(index / 5) },
  }));
  await recordAt(record, TODAY - DAY_MS, batchOf(...many.slice(0, 12)));
  await recordAt(record, TODAY, batchOf(...many.slice(12)));
  const read = async (query: Partial<FailureQuery>) => {
    const users: (string | null)[] = [];
    let after: string | null = null;
    do {
      const page = { ...query, limit: 4, after };
      const found: Awaited<ReturnType<typeof findFailures>> = await database.ask((prisma) =>
        findFailures(prisma, page),
      );
      users.push(...found.map(({ row }) => row.user));
      after = found.length < 4 ? null : (found.at(-1)?.mark ?? null);
      if (users.length === 4)
        await recordAt(record, TODAY, batchOf({ user: "new@example.org", at: TODAY + 1 }));
    } while (after !== null);
    return users.sort();
  };
  const expected = many.map(({ user }) => user).sort();
  for (const query of [{}, { domain: "EXAMPLE.org" }, { address: addressOf("198.51.100.0/24") }]) {
    assert.deepEqual(
      (await read(query)).filter((user) => user !== "new@example.org"),
      expected,
    );
  }
});

test("failures have the country and the autonomous system that the databases know", async () => {
  await using record = await openRecord();
  const { database } = record;
  const address = addressOf("203.0.113.1");
  const lookUp = (of: string) =>
    of === address ? { country: "DE", asn: "AS64500 Example Ltd" } : {};
  const whereabouts = createWhereabouts(lookUp);
  const batches = [batchOf({ address, attempts: 3 }, {})];
  for (let time = 0; time < 2; time += 1) {
    await database.ask((prisma) => recordFailures(prisma, batches, whereabouts));
    await database.ask((prisma) => whereabouts.recordNames(prisma));
  }
  const tops = await topsOf(record, TODAY - DAY_MS, TODAY + DAY_MS);
  assert.deepEqual(tops["country"], { rows: [{ name: "DE", attempts: 3 }], attempts: 4 });
  assert.deepEqual(tops["asn"], { rows: [{ name: "64500", attempts: 3 }], attempts: 4 });
  const names = await database.ask((prisma) => prisma.autonomousSystem.findMany());
  assert.deepEqual(names, [{ asn: 64500n, name: "Example Ltd" }]);
});

test("the last word on a ban stays when its changes are dropped, as long as the ban counts", async () => {
  await using record = await openRecord();
  const { client, database } = record;
  const old = TODAY - 500 * DAY_MS;
  const forEver = banOf({ changedAt: old, until: null });
  const other = { address: addressOf("203.0.113.1"), changedAt: old };
  const began = banOf({ ...other, until: old + 60_000 });
  const ended = banOf({ ...other, state: "expired", until: old + 60_000, changedAt: old + 60_000 });
  const changes = [forEver, ended, began].map((ban, index) => ({ ban, revision: index + 1 }));
  await database.ask((prisma) => insertBanChanges(prisma, changes));
  const list = () =>
    database.ask((prisma) => findBans(prisma, { limit: 10, after: null, now: TODAY }));
  assert.deepEqual((await list()).map(({ row }) => row.state).sort(), ["active", "expired"]);
  await keepRecord(client, KEPT, NOW);
  assert.deepEqual(
    (await list()).map(({ row }) => row.change),
    [forEver.change],
  );
  const query = { address: addressOf("198.51.100.0/24"), limit: 10 };
  assert.deepEqual(await database.ask((prisma) => findChanges(prisma, query)), []);
});

test("bans of an address are found by the networks around it and by those within", async () => {
  await using record = await openRecord();
  const { database } = record;
  const texts = [
    "198.51.100.7",
    "198.51.100.0/24",
    "198.51.0.0/16",
    "198.51.101.1",
    "2001:db8::/64",
  ];
  const changes = texts.map((text, index) => {
    return { ban: banOf({ address: addressOf(text), changedAt: TODAY + index }), revision: index };
  });
  await database.ask((prisma) => insertBanChanges(prisma, changes));
  const find = async (text: string) => {
    const query = { address: addressOf(text), limit: 10, after: null, now: TODAY };
    const bans = await database.ask((prisma) => findBans(prisma, query));
    return bans.map(({ row }) => row.address).reverse();
  };
  assert.deepEqual(await find("198.51.100.7"), texts.slice(0, 3));
  assert.deepEqual(await find("198.51.100.0/23"), texts.slice(0, 4));
  assert.deepEqual(await find("2001:db8::1"), texts.slice(4));
});

test("the audit goes on behind a row over changes of bans and other actions", async () => {
  await using record = await openRecord();
  const { database } = record;
  const changes = Array.from({ length: 5 }, (_, index) => ({
    ban: banOf({ changedAt: TODAY + (index >> 1), by: "operator alice", reason: `b${index}` }),
    revision: index,
  }));
  await database.ask((prisma) => insertBanChanges(prisma, changes));
  await database.ask((prisma) =>
    prisma.audit.createMany({
      data: [0, 1, 2].map((index) => ({
        ...{ key: `allow.${index}`, at: new Date(TODAY + index), by: "operator bob" },
        ...{ action: "allow add", detail: `a${index}` },
      })),
    }),
  );
  const details: string[] = [];
  let after: string | null = null;
  do {
    const page = { all: false, limit: 3, after };
    const found: Awaited<ReturnType<typeof findAudit>> = await database.ask((prisma) =>
      findAudit(prisma, page),
    );
    details.push(...found.map(({ row }) => row.detail.split(" ").at(-1) ?? ""));
    after = found.length < 3 ? null : (found.at(-1)?.mark ?? null);
  } while (after !== null);
  assert.deepEqual(details.sort(), ["a0", "a1", "a2", "b0", "b1", "b2", "b3", "b4"]);
});

test("a database of one table is migrated while failures arrive, and has every row once afterwards", async () => {
  const url = await postgres.createDatabase();
  const old = readPrismaFiles().migrations.filter(({ name }) => name < "20261130020000");
  await using before = await openSession(url);
  for (const { sql } of old) await before.client.query(sql);
  await before.client.query(OLD_ROWS);
  await using busy = await openSession(url);
  // An earlier coordinator is writing at this moment: the migration waits for it.
  await busy.client.query("BEGIN");
  await busy.client
    .query(`INSERT INTO failure (host, jail, source, epoch, position, address, at, attempts, form)
    VALUES ('mx1', 'dovecot', 'mail-log', 'e1', 5001, '203.0.113.1', now(), 1, 'login')`);
  await markApplied(
    before.client,
    old.map(({ name }) => name),
  );
  const opening = openRecord(url);
  await untilWaiting(before.client);
  await busy.client.query("COMMIT");
  await using record = await opening;
  const { client, database } = record;

  const { rows: counts } = await client.query(`SELECT
    (SELECT count(*)::int FROM failure) AS failures,
    (SELECT count(*)::int FROM ban_change) AS changes,
    (SELECT count(*)::int FROM ban) AS bans,
    (SELECT position::int FROM reported) AS position`);
  assert.deepEqual(counts, [{ failures: 5001, changes: 6, bans: 3, position: 5001 }]);
  // The earlier coordinator still runs, and must record nothing that this version would not know.
  const late = `INSERT INTO failure (host, jail, source, epoch, position, address, at, attempts, form)
    VALUES ('mx1', 'dovecot', 'mail-log', 'e1', 5002, '203.0.113.1', now(), 1, 'login') ON CONFLICT DO NOTHING`;
  await assert.rejects(client.query(late), { code: "42703" });

  positions = 4_999; // The agent has sent the last two again, and one more.
  const batch = batchOf({ user: "twice" }, { user: "twice" }, { user: "new" });
  await database.ask((prisma) => recordFailures(prisma, [batch], nowhere));
  const found = await database.ask((prisma) =>
    findFailures(prisma, { user: "twice", limit: 10, after: null }),
  );
  assert.deepEqual(found, []);
  await keepRecord(client, KEPT, NOW);
  assert.equal(await database.ask((prisma) => prisma.failure.count()), 5002);

  // The old table is one partition, which is counted and dropped as a whole.
  const [partition] = await listPartitions(client, FAILURES);
  const end = partition!.until.getTime();
  const { counted } = await keepRecord(client, KEPT, new Date(end + 3_600_000));
  assert.deepEqual(counted, ["failure_before"]);
  const top = await database.ask((prisma) =>
    findTop(prisma, { by: "host", since: TODAY - 50 * DAY_MS, until: end + DAY_MS, limit: 1 }),
  );
  assert.deepEqual(top, { rows: [{ name: "mx1", attempts: 5002 }], attempts: 5002 });
  const { dropped } = await keepRecord(client, KEPT, new Date(end + 90 * DAY_MS));
  assert.deepEqual(dropped.slice(0, 1), ["failure_before"]);
  const bans = await database.ask((prisma) =>
    findBans(prisma, { limit: 10, after: null, now: TODAY }),
  );
  assert.equal(bans.length, 3);
});

test("a migration that was killed is done again", async () => {
  const url = await postgres.createDatabase();
  await migrate(url);
  await using session = await openSession(url);
  await session.client.query(
    "DELETE FROM _prisma_migrations WHERE migration_name LIKE '%history_by_day'",
  );
  await session.client
    .query(`INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, applied_steps_count)
    VALUES ('x', 'x', '20261130020000_history_by_day', now(), 0)`);
  // Here it fails again, because its tables are there, but not because it was interrupted.
  await assert.rejects(migrate(url), /already exists/);
});

const OLD_ROWS = `
  INSERT INTO failure (host, jail, source, epoch, position, address, at, attempts, "user", form, recorded_at)
    SELECT 'mx1', 'dovecot', 'mail-log', 'e1', n, '203.0.113.1', now() - n * interval '10 min', 1, 'bob', 'login',
      now() - n * interval '10 min'
    FROM generate_series(1, 5000) AS n;
  INSERT INTO ban_change (change, jail, address, state, starts_at, until, changed_at, reason, offence, evidence, by, revision)
    SELECT gen_random_uuid(), 'dovecot', ('203.0.113.' || n % 3)::inet, CASE WHEN n < 3 THEN 'active' ELSE 'lifted' END,
      now(), NULL, now() + CASE n WHEN 5 THEN interval '300 days' ELSE interval '0' END, '', 1, '[]', 'decider', n
    FROM generate_series(0, 5) AS n;
`;

/** As the engine would have noted it. */
async function markApplied(client: pg.Client, names: readonly string[]): Promise<void> {
  const scratch = await postgres.createDatabase();
  await migrate(scratch);
  await using session = await openSession(scratch);
  const { rows } = await session.client.query<{ migration_name: string; checksum: string }>(
    "SELECT migration_name, checksum FROM _prisma_migrations",
  );
  await client.query(`CREATE TABLE _prisma_migrations (
    id VARCHAR(36) PRIMARY KEY NOT NULL, checksum VARCHAR(64) NOT NULL, finished_at TIMESTAMPTZ,
    migration_name VARCHAR(255) NOT NULL, logs TEXT, rolled_back_at TIMESTAMPTZ,
    started_at TIMESTAMPTZ NOT NULL DEFAULT now(), applied_steps_count INTEGER NOT NULL DEFAULT 0)`);
  for (const { migration_name: name, checksum } of rows) {
    if (!names.includes(name)) continue;
    await client.query(
      `INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, applied_steps_count)
       VALUES (gen_random_uuid()::text, $1, now(), $2, 1)`,
      [checksum, name],
    );
  }
}

async function openSession(connectionString: string) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  return { client, [Symbol.asyncDispose]: () => client.end() };
}

/** Until the migration waits for a lock. */
async function untilWaiting(client: pg.Client): Promise<void> {
  await eventually("the migration waits", async () => {
    const { rowCount } = await client.query(
      "SELECT FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
    return (rowCount ?? 0) > 0;
  });
}
