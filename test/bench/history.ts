/**
 * Questions to a record of 10 million failures over 90 days and 1 million bans over 400 days, as the
 * coordinator asks them. FLEETBAN_BENCH_FAILURES makes a smaller record, in the same proportions.
 */
import { connect } from "@nats-io/transport-node";
import pg from "pg";
import { migrate } from "../../prisma/migrate.ts";
import { openHistory, type History } from "../../services/coordinator/history/history.ts";
import {
  BAN_CHANGES,
  DAY_MS,
  dayOf,
  FAILURES,
  makePartition,
  type DailyTable,
} from "../../services/coordinator/history/partitions.ts";
import { keepRecord } from "../../services/coordinator/history/record-upkeep.ts";
import { ensureStreams } from "../../services/coordinator/upkeep/ensure-streams.ts";
import { createLog } from "../../services/process/log.ts";
import { TOP_KINDS } from "../../services/wire/api.ts";
import { parseNetwork } from "../../services/wire/address.ts";
import { eventually } from "../harness/eventually.ts";
import { startTestNats, startTestPostgres } from "../harness/servers.ts";
import { percentile, type Figure } from "./figure.ts";

const TOTAL = Number(process.env["FLEETBAN_BENCH_FAILURES"] ?? 10_000_000);
const DAYS = 90;
const BAN_DAYS = 400;
const RETENTION = { failures: DAYS * 86_400, bans: BAN_DAYS * 86_400 };
const ROUNDS = 40;

export async function run(): Promise<Figure[]> {
  await using nats = await startTestNats();
  await using postgres = await startTestPostgres();
  const databaseUrl = await postgres.createDatabase();
  const began = performance.now();
  await build(databaseUrl);
  const seconds = (performance.now() - began) / 1000;
  const connection = await connect({ servers: nats.url });
  const log = createLog("bench", "silent");
  const streams = { longestFindtime: 1200, replicas: 1, failuresMaxBytes: 2 ** 26 };
  await ensureStreams(connection, streams);
  const retention = { failures: null, bans: null };
  const isLeader = () => false;
  const history = openHistory({ databaseUrl, connection, isLeader, retention, log });
  await eventually("PostgreSQL is reached", () => history.everReached(), 60);
  const figures = [];
  for (const [name, ask] of Object.entries(questions(history))) {
    figures.push(await measure(name, ask));
  }
  await history.close();
  await connection.close();
  const bytes = await sizeOf(databaseUrl);
  return [
    ...figures,
    { name: "history, on disk", value: bytes / TOTAL, unit: "bytes/failure" },
    { name: "history, built", value: TOTAL / seconds, unit: "failures/s" },
  ];
}

const number = (below: number) => Math.floor(Math.random() * below);
const some = { limit: 100, after: null };

/** Each call asks for something else. */
function questions(history: History): Record<string, () => Promise<unknown>> {
  const address = () => parseNetwork(`10.${number(170)}.${number(256)}.${number(256)}`)!;
  const network = () => parseNetwork(`10.${number(170)}.${number(256)}.0/24`)!;
  const now = Date.now();
  const day = () => now - number(DAYS) * DAY_MS;
  const frequent = parseNetwork("10.0.0.0")!;
  const list: Record<string, () => Promise<unknown>> = {
    "for status": () => Promise.all([history.hosts(), history.lag()]),
    "by address": () => history.failures({ address: address(), ...some }),
    "by the address of most failures": () => history.failures({ address: frequent, ...some }),
    "by network": () => history.failures({ address: network(), ...some }),
    "by a network of /16": () =>
      history.failures({ address: parseNetwork(`10.${number(170)}.0.0/16`)!, ...some }),
    "by user": () => history.failures({ user: `user${7 + 300 * number(60)}@d7.example`, ...some }),
    "by domain": () => history.failures({ domain: `d${number(300)}.example`, ...some }),
    "by host": () => history.failures({ host: `mx${number(20)}`, ...some }),
    "by time": () => history.failures({ since: day() - DAY_MS, until: day(), ...some }),
    newest: () => history.failures(some),
    "a later page": () => history.failures({ limit: 100, after: `${day()}/5000` }),
    "bans, newest": () => history.bans({ ...some, now }),
    "bans, a later page": () =>
      history.bans({ now, limit: 100, after: `${day()}/00000000-0000-4000-8000-000000000000` }),
    "bans by address": () => history.bans({ address: banned(), now, ...some }),
    "changes of bans by address": () => history.changes({ address: banned(), limit: 100 }),
    audit: () => history.audit({ all: false, ...some }),
    "audit, all": () => history.audit({ all: true, ...some }),
  };
  for (const by of TOP_KINDS) {
    const top = (days: number) =>
      history.topFailures({ by, since: Date.now() - days * DAY_MS, until: Date.now(), limit: 10 });
    list[`top ${by}, 1 day`] = () => top(1);
    list[`top ${by}, 90 days`] = () => top(90);
  }
  return list;
}

const banned = () => parseNetwork(`10.${number(15)}.${number(256)}.${number(256)}`)!;

async function measure(name: string, ask: () => Promise<unknown>): Promise<Figure> {
  const rounds = name.startsWith("top") ? ROUNDS / 4 : ROUNDS;
  for (let round = 0; round < 3; round += 1) await ask();
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const began = performance.now();
    await ask();
    times.push(performance.now() - began);
  }
  const p50 = percentile(times, 0.5);
  return { name: `history ${name}`, value: p50, unit: "ms", p50, p99: percentile(times, 0.99) };
}

async function build(connectionString: string): Promise<void> {
  await migrate(connectionString);
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query("SET TimeZone = 'UTC'; SET maintenance_work_mem = '512MB'");
  await client.query("SET synchronous_commit = off; SET max_parallel_workers_per_gather = 0");
  const now = new Date();
  for (let days = DAYS - 1; days >= 0; days -= 1) await fillDay(client, FAILURES, days);
  for (let days = BAN_DAYS - 1; days >= 0; days -= 1) await fillDay(client, BAN_CHANGES, days);
  await client.query(`INSERT INTO ban SELECT DISTINCT ON (jail, address) * FROM ban_change
    ORDER BY jail, address, changed_at DESC, revision DESC`);
  await keepRecord(client, RETENTION, now);
  await client.query("VACUUM ANALYZE ban");
  await client.end();
}

/** Rows first, indexes afterwards: that is quicker. */
async function fillDay(client: pg.Client, daily: DailyTable, days: number): Promise<void> {
  const day = new Date(dayOf(new Date()).getTime() - days * DAY_MS);
  // Of today there is as much as has passed of it.
  const part = days === 0 ? (Date.now() - day.getTime()) / DAY_MS : 1;
  const isFailure = daily === FAILURES;
  const rows = Math.floor((isFailure ? TOTAL / DAYS : TOTAL / 10 / BAN_DAYS) * part);
  await makePartition(client, daily, day, async (partition) => {
    const indexes = await dropIndexes(client, partition);
    await client.query(isFailure ? failures(partition) : banChanges(partition), [
      day,
      rows,
      `${part} day`,
    ]);
    for (const index of indexes) await client.query(index);
  });
  await client.query(
    `ANALYZE ${daily.table}_${day.toISOString().slice(0, 10).replaceAll("-", "_")}`,
  );
}

async function dropIndexes(client: pg.Client, partition: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string; definition: string; isKey: boolean }>(
    `SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition,
       indisprimary AS "isKey" FROM pg_index WHERE indrelid = $1::regclass`,
    [partition],
  );
  const others = rows.filter(({ isKey }) => !isKey);
  for (const { name } of others) await client.query(`DROP INDEX ${name}`);
  return others.map(({ definition }) => definition);
}

/**
 * A day has an attacker for every ten failures, as many as there are bans: mostly others every day, of
 * 300,000, and a few that come back every day. They try 20,000 users, some much more often than others.
 */
const failures = (partition: string) => `
  INSERT INTO ${partition}
    (host, jail, address, at, attempts, "user", service, session, form, recorded_at, asn, country)
  SELECT 'mx' || n % 20, CASE n % 10 WHEN 0 THEN 'smtp' ELSE 'dovecot' END,
    '10.0.0.0'::inet + place, at, 1, 'user' || name || '@d' || name % 300 || '.example',
    'imap', substr(md5(n::text), 1, 16), 'login-2.3-auth-failed', at + interval '100 ms',
    64500 + place % 700, chr(65 + (place % 11)::int) || chr(65 + (place % 17)::int)
  FROM generate_series(0, $2::int - 1) AS n,
    LATERAL (SELECT $1::timestamptz + $3::interval * n / $2 AS at) AS times,
    LATERAL (SELECT (hashint8extended(n % ($2::int / 10 + 1), extract(epoch FROM $1)::bigint) & 1048575)
      / 1048576.0 AS part) AS attackers,
    LATERAL (SELECT (power(part, 2) * 300000)::bigint * 37 AS place,
      (power(random(), 3) * 20000)::int AS name) AS chosen`;

/** Each ban begins and expires; a hundredth is an operator's. */
const banChanges = (partition: string) => `
  INSERT INTO ${partition}
    (id, jail, address, state, starts_at, until, changed_at, reason, offence, evidence, by, revision)
  SELECT gen_random_uuid(), 'dovecot', '10.0.0.0'::inet + place, state, at, at + interval '20 min',
    $1::timestamptz + $3::interval * n / $2, '5 failures within 20m', 1,
    '[{"host": "mx1", "failures": 5}]', CASE WHEN n % 100 = 0 THEN 'operator alice' ELSE 'decider' END, n
  FROM generate_series(0, $2::int - 1) AS n,
    LATERAL (SELECT $1::timestamptz + $3::interval * n / $2 AS at,
      (extract(epoch FROM $1::timestamptz)::bigint / 86400 % ${BAN_DAYS}) * ${Math.ceil(TOTAL / 10 / BAN_DAYS)} + n AS place) AS places,
    LATERAL (VALUES ('active'), ('expired')) AS changes (state)`;

async function sizeOf(connectionString: string): Promise<number> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  const { rows } = await client.query<{ bytes: string }>(
    `SELECT sum(pg_total_relation_size(inhrelid)) AS bytes FROM pg_inherits
     WHERE inhparent IN ('failure'::regclass, 'failure_count'::regclass)`,
  );
  await client.end();
  return Number(rows[0]?.bytes);
}
