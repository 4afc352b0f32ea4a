/**
 * Keeps the record in order: makes the partitions of the next days, counts the days that are over, and
 * drops what is older than the retention. Nothing waits for it: a row without a partition of its own
 * goes into the default partition, and a day that is not counted is added up from its failures.
 *
 * The coordinator that decides does this, on a connection of its own, because some statements take
 * longer than any query may.
 */
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { Log } from "../../process/log.ts";
import { reasonOf } from "../../process/reason.ts";
import { createComplaint } from "../../process/retry.ts";
import { stillCounts } from "./ban-queries.ts";
import { countDays } from "./failure-counts.ts";
import {
  BAN_CHANGES,
  DAY_MS,
  dayOf,
  dropPartitions,
  FAILURE_COUNTS,
  FAILURES,
  listPartitions,
  makePartition,
  type DailyTable,
} from "./partitions.ts";

/** Seconds that rows are kept; null: for ever. */
export interface Retention {
  failures: number | null;
  bans: number | null;
}

export interface RecordUpkeepOptions {
  databaseUrl: string;
  retention: Retention;
  /** The tables are there, and this coordinator records. */
  isDue: () => boolean;
  log: Log;
}

/** Names the lock in PostgreSQL; it ends with the connection. */
const UPKEEP_LOCK = 7_340_003;
const LOOK_EVERY_MS = 1_000;
const EVERY_MS = 600_000;
const STOP_WITHIN_MS = 1_000;
const AGAIN_AFTER_MS = 30_000;
/** A coordinator may be away for this long before rows go into the default partition. */
const DAYS_AHEAD = 3;
/** A message that NATS delivers again is older than the oldest kept failure by less than this. */
const REPORTED_LONGER_MS = 30 * DAY_MS;

export function startRecordUpkeep(options: RecordUpkeepOptions): { stop(): Promise<void> } {
  const { databaseUrl, retention, isDue, log } = options;
  const complaint = createComplaint((reason) => {
    log.warn({ reason }, "the record's upkeep failed, will retry");
  });
  let nextAt = 0;
  let working: Promise<void> | undefined;
  let client: pg.Client | undefined;

  async function round(): Promise<void> {
    const session = new pg.Client({
      connectionString: databaseUrl,
      connectionTimeoutMillis: 3_000,
    });
    session.on("error", () => {}); // The query that is under way fails, and says why.
    client = session;
    try {
      await session.connect();
      // Another coordinator may still be at it, because it has decided until now.
      await session.query("SELECT pg_advisory_lock($1)", [UPKEEP_LOCK]);
      const done = await keepRecord(session, retention, new Date());
      nextAt = Date.now() + EVERY_MS;
      complaint.over();
      if (done.dropped.length > 0) log.info(done, "the record's oldest days are dropped");
    } catch (error) {
      nextAt = Date.now() + AGAIN_AFTER_MS;
      complaint.failed(reasonOf(error));
    } finally {
      client = undefined;
      await session.end().catch(() => {});
    }
  }

  const timer = setInterval(() => {
    if (isDue() && Date.now() >= nextAt) working ??= round().finally(() => (working = undefined));
  }, LOOK_EVERY_MS);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.race([working, sleep(STOP_WITHIN_MS, undefined, { ref: false })]);
      // A statement may take minutes. PostgreSQL takes back what is not finished.
      await client?.end().catch(() => {});
      await working;
    },
  };
}

/** One round. `now` decides which days are over and which are too old. */
export async function keepRecord(
  client: pg.ClientBase,
  { failures, bans }: Retention,
  now: Date,
): Promise<{ counted: string[]; dropped: string[] }> {
  await client.query("SET TimeZone = 'UTC'");
  await makeDays(client, FAILURES, now);
  await makeDays(client, BAN_CHANGES, now);
  const dropped: string[] = [];
  if (failures !== null) {
    const before = new Date(now.getTime() - failures * 1000);
    dropped.push(...(await dropPartitions(client, FAILURES, before)));
    dropped.push(...(await dropPartitions(client, FAILURE_COUNTS, before)));
    const reportedBefore = new Date(before.getTime() - REPORTED_LONGER_MS);
    await client.query("DELETE FROM reported WHERE recorded_at < $1", [reportedBefore]);
  }
  if (bans !== null) {
    const before = new Date(now.getTime() - bans * 1000);
    dropped.push(...(await dropPartitions(client, BAN_CHANGES, before)));
    const { text, values } = stillCounts(now);
    const ended = `DELETE FROM ban WHERE NOT coalesce(${text}, FALSE) AND changed_at < $${values.length + 1}`;
    await client.query(ended, [...values, before]);
  }
  return { dropped, counted: await countDays(client, now) };
}

/** Makes the partitions from today, or from the last one, to some days ahead. */
async function makeDays(client: pg.ClientBase, table: DailyTable, now: Date): Promise<void> {
  const today = dayOf(now).getTime();
  const last = (await listPartitions(client, table)).at(-1)?.until.getTime();
  const end = today + DAYS_AHEAD * DAY_MS;
  for (let day = Math.max(last ?? today, today); day <= end; day += DAY_MS) {
    await makePartition(client, table, new Date(day));
  }
}
