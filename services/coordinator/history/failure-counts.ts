/**
 * Failed attempts by address, network, user and so on. A day that is over does not change any more, so
 * its failures are added up once, and questions about long periods add up these numbers instead of
 * the failures.
 *
 * Invariants:
 * - A day is counted in the transaction that shows its numbers. Days are counted in any order, and a
 *   day whose numbers are gone is counted again.
 * - Whoever erases failures of counted days takes them off the numbers in the same transaction, and
 *   holds `COUNTING_LOCK` as whoever counts does.
 */
import type pg from "pg";
import { Prisma } from "../../../prisma/client/client.ts";
import type { TopKind } from "../../wire/api.ts";
import { DOMAIN } from "./failure-queries.ts";
import {
  DAY_MS,
  FAILURE_COUNTS,
  FAILURES,
  listPartitions,
  makePartition,
  spellDay,
  type Partition,
} from "./partitions.ts";

/** Names the lock in PostgreSQL. */
export const COUNTING_LOCK = 7_340_002;

/** A failure that was being recorded at midnight is committed by then. */
const SETTLED_MS = 600_000;

interface Kind {
  /** What of a failure is counted; NULL: the failure does not count for this kind. */
  value: Prisma.Sql;
  /** The name of a value that is called `value`. */
  name: Prisma.Sql;
}

/** PostgreSQL groups values much faster than their names. */
export const KINDS: Readonly<Record<TopKind, Kind>> = {
  address: { value: Prisma.sql`address`, name: Prisma.sql`host(value)` },
  network: {
    value: Prisma.sql`network(set_masklen(address, CASE family(address) WHEN 4 THEN 24 ELSE 48 END))`,
    name: Prisma.sql`value::text`,
  },
  user: { value: Prisma.sql`"user"`, name: Prisma.sql`value` },
  domain: { value: DOMAIN, name: Prisma.sql`value` },
  host: { value: Prisma.sql`host`, name: Prisma.sql`value` },
  asn: { value: Prisma.sql`asn`, name: Prisma.sql`value::text` },
  country: { value: Prisma.sql`country`, name: Prisma.sql`value` },
};

/** Rows of kind, day, name and attempts of the failures that `rows` selects. */
export function countsOf(rows: Prisma.Sql): Prisma.Sql {
  const kinds = Object.entries(KINDS);
  const columns = kinds.map(([kind]) => Prisma.raw(`"${kind}"`));
  const values = kinds.map(
    ([kind, { value }]) => Prisma.sql`${value} AS ${Prisma.raw(`"${kind}"`)}`,
  );
  const sets = columns.map((column) => Prisma.sql`(day, ${column})`);
  // One pass counts all kinds. In grouping() a column that is not grouped by is a 1.
  const all = 2 ** kinds.length - 1;
  const parts = kinds.map(([kind, { name }], index) => {
    const mask = all - 2 ** (kinds.length - 1 - index);
    return Prisma.sql`
      SELECT ${kind} AS kind, day, ${name} AS name, attempts
      FROM (SELECT day, ${columns[index]} AS value, attempts FROM counted WHERE mask = ${mask}) AS one
      WHERE value IS NOT NULL`;
  });
  return Prisma.sql`
    WITH counted AS MATERIALIZED (
      SELECT day, ${Prisma.join(columns)}, grouping(${Prisma.join(columns)}) AS mask,
        sum(attempts) AS attempts
      FROM (
        SELECT (at AT TIME ZONE 'UTC')::date AS day, ${Prisma.join(values)}, attempts
        FROM (${rows}) AS failure
      ) AS valued
      GROUP BY GROUPING SETS ((day), ${Prisma.join(sets)})
    )
    SELECT 'all' AS kind, day, '' AS name, attempts FROM counted WHERE mask = ${all}
    UNION ALL ${Prisma.join(parts, " UNION ALL ")}`;
}

/** Counts the days that are over and not counted; returns their partitions. */
export async function countDays(client: pg.ClientBase, now: Date): Promise<string[]> {
  const partitions = await listPartitions(client, FAILURES);
  const counts = await listPartitions(client, FAILURE_COUNTS);
  const counted = new Set(counts.map(({ until }) => until.getTime()));
  const settled = new Date(now.getTime() - SETTLED_MS);
  const due = partitions.filter(({ until }) => !counted.has(until.getTime()) && until <= settled);
  for (const partition of due) await countDay(client, partition);
  return due.map(({ name }) => name);
}

/** A day has half a million names at the least where a flood has come. */
const MEMORY = "SET LOCAL work_mem = '128MB'";

async function countDay(client: pg.ClientBase, { name, until }: Partition): Promise<void> {
  const day = new Date(until.getTime() - DAY_MS);
  const counts = countsOf(Prisma.raw(`SELECT * FROM "${name}"`));
  await makePartition(client, FAILURE_COUNTS, day, async (partition) => {
    await client.query("SELECT pg_advisory_xact_lock($1)", [COUNTING_LOCK]);
    await client.query(MEMORY);
    await client.query(
      `INSERT INTO "${partition}" (recorded_on, kind, day, name, attempts)
       SELECT '${spellDay(day)}', kind, day, name, attempts FROM (${counts.text}) AS counts
       ORDER BY kind, name, day`,
      counts.values,
    );
    // Says that the day is counted, also where nothing has failed.
    await client.query(
      `INSERT INTO "${partition}" (recorded_on, kind, day, name, attempts)
       VALUES ('${spellDay(day)}', 'all', '${spellDay(day)}', '', 0) ON CONFLICT DO NOTHING`,
    );
    await client.query(`ANALYZE "${partition}"`);
  });
  await client.query(`ANALYZE "${name}"`);
}
