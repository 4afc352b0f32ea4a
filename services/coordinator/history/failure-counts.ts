/**
 * Failed attempts by address, network, user and so on. A day that is over does not change any more, so
 * its failures are added up once, and `failure top` adds up these numbers instead of the failures.
 *
 * Invariants:
 * - A day is counted in the transaction that shows its numbers, and days are counted in their order.
 *   So the failures of all partitions up to the last counted day are in the numbers, and no others.
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

/** What of a failure each kind counts; NULL: the failure does not count for it. */
export const NAME_OF: Readonly<Record<TopKind, Prisma.Sql>> = {
  address: Prisma.sql`host(address)`,
  network: Prisma.sql`network(set_masklen(address, CASE family(address) WHEN 4 THEN 24 ELSE 48 END))::text`,
  user: Prisma.sql`"user"`,
  domain: DOMAIN,
  host: Prisma.sql`host`,
  asn: Prisma.sql`asn::text`,
  country: Prisma.sql`country`,
};

/** Rows of kind, day, name and attempts of the failures that `rows` selects. */
export function countsOf(rows: Prisma.Sql): Prisma.Sql {
  const kinds = Object.entries(NAME_OF).map(([kind, name]) => Prisma.sql`(${kind}, ${name})`);
  return Prisma.sql`
    SELECT kind, (at AT TIME ZONE 'UTC')::date AS day, name, sum(attempts) AS attempts
    FROM (${rows}) AS failure,
    LATERAL (VALUES ('all', ''), ${Prisma.join(kinds)}) AS counted (kind, name)
    WHERE name IS NOT NULL
    GROUP BY kind, day, name`;
}

/** Counts the days that are over and not counted; returns their partitions. */
export async function countDays(client: pg.ClientBase, now: Date): Promise<string[]> {
  const partitions = await listPartitions(client, FAILURES);
  const counted = await listPartitions(client, FAILURE_COUNTS);
  const last = counted.at(-1)?.until ?? new Date(0);
  const settled = new Date(now.getTime() - SETTLED_MS);
  const due = partitions.filter(({ until }) => until > last && until <= settled);
  for (const partition of due) await countDay(client, partition);
  return due.map(({ name }) => name);
}

async function countDay(client: pg.ClientBase, { name, until }: Partition): Promise<void> {
  const day = new Date(until.getTime() - DAY_MS);
  const counts = countsOf(Prisma.raw(`SELECT * FROM "${name}"`));
  await makePartition(client, FAILURE_COUNTS, day, async (partition) => {
    await client.query("SELECT pg_advisory_xact_lock($1)", [COUNTING_LOCK]);
    await client.query(
      `INSERT INTO "${partition}" (recorded_on, kind, day, name, attempts)
       SELECT '${spellDay(day)}', kind, day, name, attempts FROM (${counts.text}) AS counts
       ORDER BY kind, day, name`,
      counts.values,
    );
    // Says that the day is counted, also where nothing has failed.
    await client.query(
      `INSERT INTO "${partition}" (recorded_on, kind, day, name, attempts)
       VALUES ('${spellDay(day)}', 'all', '${spellDay(day)}', '', 0) ON CONFLICT DO NOTHING`,
    );
  });
  await client.query(`ANALYZE "${name}"`);
}
