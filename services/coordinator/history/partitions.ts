/**
 * The partitions of PostgreSQL's large tables: one for each day by UTC, and one without bounds, which
 * takes rows for which there is no day.
 *
 * Each function is one transaction or statement. A partition is made or dropped only when the lock
 * comes soon, because other queries wait behind whoever waits for that lock.
 */
import pg from "pg";
import { Prisma } from "../../../prisma/client/client.ts";

/** A table that has a partition for each day. */
export interface DailyTable {
  table: "failure" | "failure_count" | "ban_change";
  /** The column that decides on the day. */
  key: string;
}

export const FAILURES: DailyTable = { table: "failure", key: "recorded_at" };
export const FAILURE_COUNTS: DailyTable = { table: "failure_count", key: "recorded_on" };
export const BAN_CHANGES: DailyTable = { table: "ban_change", key: "changed_at" };

export interface Partition {
  name: string;
  /** null: its rows may be of any age. */
  from: Date | null;
  /** Its rows are older than this. */
  until: Date;
}

export const DAY_MS = 86_400_000;
const LOCK_WITHIN = "SET LOCAL lock_timeout = '2s'";

/** The partitions with bounds, oldest first. */
export function partitionsOf(table: DailyTable["table"]): Prisma.Sql {
  return Prisma.sql`
    SELECT relname AS name, bound.from, bound.until FROM pg_inherits
    JOIN pg_class ON pg_class.oid = inhrelid,
    LATERAL (SELECT pg_get_expr(relpartbound, inhrelid) AS text) AS spelled,
    LATERAL (
      SELECT substring(spelled.text FROM 'FROM \\(''([^'']+)''\\)')::timestamptz AS from,
        substring(spelled.text FROM 'TO \\(''([^'']+)''\\)')::timestamptz AS until
    ) AS bound
    WHERE inhparent = ${table}::regclass AND bound.until IS NOT NULL
    ORDER BY bound.until`;
}

/** The session's time zone must be UTC, because failure_count has dates. */
export async function listPartitions(
  client: pg.ClientBase,
  { table }: DailyTable,
): Promise<Partition[]> {
  const { text, values } = partitionsOf(table);
  return (await client.query<Partition>(text, values)).rows;
}

/** The first instant of the day of `at`, by UTC. */
export function dayOf(at: Date): Date {
  return new Date(Math.floor(at.getTime() / DAY_MS) * DAY_MS);
}

/** "2026-11-30". */
export function spellDay(day: Date): string {
  return day.toISOString().slice(0, 10);
}

/** Makes the partition of one day. `fill` may write rows into the partition before others see it. */
export async function makePartition(
  client: pg.ClientBase,
  { table, key }: DailyTable,
  day: Date,
  fill?: (partition: string) => Promise<void>,
): Promise<void> {
  const name = `${table}_${spellDay(day).replaceAll("-", "_")}`;
  const [from, to] = [spellDay(day), spellDay(new Date(day.getTime() + DAY_MS))];
  await transaction(client, async () => {
    await client.query(`CREATE TABLE "${name}" (LIKE "${table}" INCLUDING ALL)`);
    if (fill) await fill(name);
    else {
      await client.query(
        `WITH stray AS (
           DELETE FROM "${table}_default" WHERE "${key}" >= '${from} 00:00+00' AND "${key}" < '${to} 00:00+00'
           RETURNING *
         ) INSERT INTO "${name}" SELECT * FROM stray`,
      );
    }
    await client.query(LOCK_WITHIN);
    await client.query(
      `ALTER TABLE "${table}" ATTACH PARTITION "${name}"
       FOR VALUES FROM ('${from} 00:00+00') TO ('${to} 00:00+00')`,
    );
  });
}

/** Drops the partitions whose rows are all older than `before`; returns their names. */
export async function dropPartitions(
  client: pg.ClientBase,
  daily: DailyTable,
  before: Date,
): Promise<string[]> {
  const { table, key } = daily;
  const partitions = await listPartitions(client, daily);
  const old = partitions.filter(({ until }) => until <= before);
  for (const { name } of old) {
    await transaction(client, async () => {
      await client.query(LOCK_WITHIN);
      await client.query(`DROP TABLE ${pg.escapeIdentifier(name)}`);
    });
  }
  if (table !== FAILURE_COUNTS.table) {
    await client.query(`DELETE FROM "${table}_default" WHERE "${key}" < $1`, [before]);
  }
  return old.map(({ name }) => name);
}

export async function transaction<T>(client: pg.ClientBase, work: () => Promise<T>): Promise<T> {
  await client.query("BEGIN");
  try {
    const result = await work();
    await client.query("COMMIT");
    return result;
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {}); // The connection may be the reason.
    throw error;
  }
}
