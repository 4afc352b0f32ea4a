/**
 * The record that the bench of the history asks: 10 million failures over 90 days and 1 million bans
 * over 400 days. PostgreSQL makes the rows itself, and each day's indexes after its rows.
 */
import pg from "pg";
import { migrate } from "../../prisma/migrate.ts";
import {
  BAN_CHANGES,
  DAY_MS,
  dayOf,
  FAILURES,
  makePartition,
  type DailyTable,
} from "../../services/coordinator/history/partitions.ts";
import { keepRecord } from "../../services/coordinator/history/record-upkeep.ts";

/** How many failures; a tenth as many bans. */
export const TOTAL = Number(process.env["FLEETBAN_BENCH_FAILURES"] ?? 10_000_000);
export const DAYS = 90;
const BAN_DAYS = 400;
const RETENTION = { failures: DAYS * 86_400, bans: BAN_DAYS * 86_400 };

export async function buildRecord(connectionString: string): Promise<void> {
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
