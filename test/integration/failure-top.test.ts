/** `failure top` gives what the failures say, whatever of them is counted, late, erased or dropped. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { eraseFailures } from "../../services/coordinator/history/erase-failures.ts";
import { KINDS } from "../../services/coordinator/history/failure-counts.ts";
import { findSeries } from "../../services/coordinator/history/failure-series.ts";
import { findTop, type Top } from "../../services/coordinator/history/failure-top.ts";
import { DAY_MS, dayOf } from "../../services/coordinator/history/partitions.ts";
import { keepRecord } from "../../services/coordinator/history/record-upkeep.ts";
import { parseNetwork } from "../../services/wire/address.ts";
import { TOP_KINDS, type TopKind } from "../../services/wire/api.ts";
import { openRecord, type RecordDatabase } from "../harness/record-database.ts";
import { startTestPostgres, type TestPostgres } from "../harness/servers.ts";

const TODAY = dayOf(new Date()).getTime();
const HOUR_MS = 3_600_000;
const DAYS = 12;
const KEPT = { failures: DAYS * 86_400, bans: null };

let postgres: TestPostgres;
let opened: RecordDatabase;
let database: RecordDatabase["database"];
let client: RecordDatabase["client"];

before(async () => {
  postgres = await startTestPostgres();
  opened = await openRecord(await postgres.createDatabase());
  ({ database, client } = opened);
});

after(async () => {
  await opened[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
});

/** As the failures say it, each of them looked at. */
async function topByFailures(by: TopKind, since: number, until: number, limit: number) {
  const { value, name } = KINDS[by];
  const { rows } = await client.query<{ name: string; attempts: number }>(
    `SELECT ${name.text} AS name, sum(attempts)::float8 AS attempts
     FROM (SELECT ${value.text} AS value, attempts FROM failure WHERE at BETWEEN $1 AND $2) AS one
     WHERE value IS NOT NULL GROUP BY value
     ORDER BY sum(attempts) DESC, (${name.text}) COLLATE "C" LIMIT ${limit}`,
    [new Date(since), new Date(until)],
  );
  const { rows: all } = await client.query<{ attempts: number }>(
    "SELECT coalesce(sum(attempts), 0)::float8 AS attempts FROM failure WHERE at BETWEEN $1 AND $2",
    [new Date(since), new Date(until)],
  );
  return { rows, attempts: all[0]?.attempts };
}

const top = (by: TopKind, since: number, until: number, limit: number): Promise<Top> =>
  database.ask((prisma) => findTop(prisma, { by, since, until, limit }));

/** Failures of the last days, some reported days late; a day that is counted gets no more of them. */
async function record(seed: number, rows: number, names: number): Promise<void> {
  await client.query("SELECT setseed($1)", [seed / 2 ** 31]);
  // Some names have their attempts on one day alone, others have as many on all days together.
  await client.query(
    `INSERT INTO failure (host, jail, address, at, attempts, "user", form, recorded_at, asn, country)
     SELECT 'mx' || n % 3, 'dovecot',
       CASE n % 9 WHEN 0 THEN ('2001:db8::' || name % 50)::inet ELSE '10.0.0.0'::inet + name % 700 END,
       at, 1 + (random() * 3)::int,
       CASE n % 11 WHEN 0 THEN NULL WHEN 1 THEN 'bot' || day WHEN 2 THEN 'even' || n / 11 % 12 ELSE
         chr(97 + name % 26) || name || CASE n % 2 WHEN 0 THEN '' ELSE '@D' || name % 7 || '.example' END END,
       'login', greatest(least(at + late * interval '1 day', now()), counted), nullif(name % 20, 0), nullif(chr(65 + name % 6), 'A')
     FROM generate_series(1, $2::int) AS n,
       LATERAL (SELECT (power(random(), 1.5) * $3)::int AS name, (random() * ${DAYS} * 24)::int AS hours,
         CASE WHEN random() < 0.1 THEN (random() * 4)::int ELSE 0 END AS late, n AS again) AS chosen,
       LATERAL (SELECT max(recorded_on) + 1 AS counted FROM failure_count) AS days,
       LATERAL (SELECT $1::timestamptz - hours * interval '1 hour' - (n % 3) * interval '1 ms' AS at,
         hours / 24 AS day) AS times`,
    [new Date(Math.min(TODAY + DAY_MS, Date.now())), rows, names],
  );
}

/** As upkeep would have done it day by day, up to today. */
async function keepUp(): Promise<void> {
  for (let days = -DAYS; days <= 0; days += 1) {
    const now = new Date(TODAY + days * DAY_MS + HOUR_MS);
    if (now.getTime() <= Date.now()) await keepRecord(client, { failures: null, bans: null }, now);
  }
}

async function clear(): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits
     WHERE inhparent IN ('failure'::regclass, 'failure_count'::regclass)
       AND inhrelid <> 'failure_default'::regclass`,
  );
  for (const { name } of rows) await client.query(`DROP TABLE ${name}`);
  await client.query("TRUNCATE failure; TRUNCATE reported");
}

const period = fc
  .tuple(fc.integer({ min: -1, max: DAYS * 24 + 30 }), fc.integer({ min: 0, max: 300 }))
  .map(([before, length]) => {
    const since = TODAY + DAY_MS - before * HOUR_MS;
    return [since, since + length * HOUR_MS - (length % 2)] as const;
  });

/** What happens to a record between questions. */
const event = fc.oneof(
  fc.record({
    type: fc.constant("record" as const),
    seed: fc.nat(1_000),
    rows: fc.integer({ min: 1, max: 4_000 }),
  }),
  fc.record({ type: fc.constant("keep" as const) }),
  fc.record({ type: fc.constant("retain" as const), days: fc.integer({ min: 1, max: DAYS }) }),
  fc.record({ type: fc.constant("erase user" as const), name: fc.nat(40) }),
  fc.record({ type: fc.constant("erase network" as const), part: fc.nat(3) }),
  fc.record({ type: fc.constant("lose numbers" as const), days: fc.nat(DAYS) }),
);

async function happen(what: typeof event extends fc.Arbitrary<infer E> ? E : never): Promise<void> {
  const order = { by: "operator alice", reason: "", at: TODAY, failures: 1 };
  const erase = (whose: Parameters<typeof eraseFailures>[1]) =>
    database.ask((prisma) =>
      eraseFailures(prisma, whose, { ...order, id: String(Math.random()) }, () => false),
    );
  switch (what.type) {
    case "record":
      return record(what.seed, what.rows, what.seed % 2 ? 3_000 : 40);
    case "keep":
      return keepUp();
    case "retain":
      await keepRecord(client, { failures: what.days * 86_400, bans: null }, new Date());
      return;
    case "erase user":
      await erase({
        user:
          what.name === 0 ? "bot1" : `${String.fromCharCode(97 + (what.name % 26))}${what.name}`,
      });
      return;
    case "erase network":
      await erase({
        address: parseNetwork(what.part === 3 ? "2001:db8::/120" : `10.0.${what.part}.0/25`)!,
      });
      return;
    case "lose numbers": {
      const day = new Date(TODAY - what.days * DAY_MS)
        .toISOString()
        .slice(0, 10)
        .replaceAll("-", "_");
      await client.query(`DROP TABLE IF EXISTS failure_count_${day}`);
      return;
    }
  }
}

test("failure top gives what the failures say, whatever happens to them", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { minLength: 2, maxLength: 7 }),
      fc.array(period, { minLength: 1, maxLength: 3 }),
      fc.constantFrom(1, 3, 10, 1_000),
      async (events, periods, limit) => {
        await clear();
        await keepRecord(client, KEPT, new Date(TODAY - DAYS * DAY_MS));
        for (const each of events) await happen(each);
        for (const [since, until] of periods) {
          for (const by of TOP_KINDS) {
            const found = await top(by, since, until, limit);
            assert.deepEqual(found, await topByFailures(by, since, until, limit), `${by} ${limit}`);
          }
          const series = await database.ask((prisma) => findSeries(prisma, { since, until }));
          const { rows } = await client.query<{ n: number }>(
            "SELECT coalesce(sum(attempts), 0)::float8 AS n FROM failure WHERE at >= $1 AND at < $2",
            [
              new Date(series.since),
              new Date(series.since + series.attempts.length * series.stepSeconds * 1000),
            ],
          );
          assert.equal(
            series.attempts.reduce((sum, n) => sum + n, 0),
            rows[0]?.n,
          );
        }
      },
    ),
    { numRuns: Number(process.env["FLEETBAN_RUNS"] ?? 25) },
  );
});

test("a name that is nowhere among the first of a day may be the first of all days", async () => {
  await clear();
  await keepRecord(client, KEPT, new Date(TODAY - DAYS * DAY_MS));
  // Each day has seven names with 100 attempts of that day alone, five with 10, and a crowd.
  await client.query(
    `INSERT INTO failure (host, jail, address, at, attempts, "user", form, recorded_at)
     SELECT 'mx1', 'dovecot', '192.0.2.1', at, attempts, name, 'login', at
     FROM generate_series(1, ${DAYS}) AS day,
       LATERAL (SELECT $1::timestamptz - day * interval '1 day' AS at) AS days,
       LATERAL (
         SELECT 'day' || day || '/' || n AS name, 100 AS attempts FROM generate_series(1, 7) AS n
         UNION ALL SELECT 'even' || n, 10 FROM generate_series(1, 5) AS n
         UNION ALL SELECT 'crowd' || n, 1 FROM generate_series(1, 400) AS n
       ) AS names`,
    [new Date(TODAY)],
  );
  await keepUp();
  const [since, until] = [TODAY - DAYS * DAY_MS, TODAY];
  const found = await top("user", since, until, 3);
  assert.deepEqual(found, await topByFailures("user", since, until, 3));
  assert.deepEqual(found.rows[0], { name: "even1", attempts: 10 * DAYS });
});
