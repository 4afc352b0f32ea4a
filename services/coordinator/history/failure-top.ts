/** `failure top`: which addresses, users and so on have failed most in a period. */
import { Prisma, type PrismaClient } from "../../../prisma/client/client.ts";
import type { TopKind } from "../../wire/api.ts";
import { NAME_OF } from "./failure-counts.ts";
import { dayBefore, sinceCondition } from "./failure-queries.ts";
import { DAY_MS, spellDay } from "./partitions.ts";

export interface TopQuery {
  by: TopKind;
  since: number;
  until: number;
  limit: number;
}

export interface Top {
  /** Most attempts first. */
  rows: { name: string; attempts: number }[];
  /** Of all failures of the period. */
  attempts: number;
}

/** More than PostgreSQL's default, so that half a million names fit. */
const MEMORY = Prisma.raw("SET LOCAL work_mem = '128MB'");
const WITHIN_MS = 30_000;

export function findTop(prisma: PrismaClient, query: TopQuery): Promise<Top> {
  return prisma.$transaction(
    async (transaction) => {
      await transaction.$executeRaw(Prisma.sql`${MEMORY}`);
      // Read first: a day that is counted meanwhile is added up from its failures.
      const [counted] = await transaction.$queryRaw<{ until: Date | null }[]>`
        SELECT max(recorded_on) + 1 AS until FROM failure_count`;
      const sources = sourcesOf(query, counted?.until ?? null);
      const rows = await transaction.$queryRaw<{ name: string; attempts: bigint }[]>(Prisma.sql`
        SELECT name, sum(attempts)::bigint AS attempts
        FROM (${sources(query.by, NAME_OF[query.by])}) AS counted
        WHERE name IS NOT NULL
        GROUP BY name ORDER BY attempts DESC, name LIMIT ${query.limit}`);
      const [all] = await transaction.$queryRaw<{ attempts: bigint | null }[]>(Prisma.sql`
        SELECT sum(attempts)::bigint AS attempts
        FROM (${sources("all", Prisma.sql`''`)}) AS counted`);
      return {
        rows: rows.map(({ name, attempts }) => ({ name, attempts: Number(attempts) })),
        attempts: Number(all?.attempts ?? 0),
      };
    },
    { timeout: WITHIN_MS, maxWait: WITHIN_MS },
  );
}

type Sources = (kind: TopKind | "all", name: Prisma.Sql) => Prisma.Sql;

/**
 * Names and attempts of the period: whole days from the numbers, as far as they are counted; failures
 * that were recorded after the last counted day, and parts of days, from the failures themselves.
 */
function sourcesOf({ since, until }: TopQuery, countedUntil: Date | null): Sources {
  const inPeriod = Prisma.sql`${sinceCondition(since)} AND at <= ${new Date(until)}`;
  const [begin, end] = wholeDays(since, until);
  if (countedUntil === null || begin >= end) {
    return (_, name) => Prisma.sql`SELECT ${name} AS name, attempts FROM failure WHERE ${inPeriod}`;
  }
  const [first, last] = [new Date(begin), new Date(end - DAY_MS)].map(spellDay);
  const recordedOn = spellDay(dayBefore(begin));
  return (kind, name) => Prisma.sql`
    SELECT name, attempts FROM failure_count
    WHERE kind = ${kind} AND day BETWEEN ${first}::date AND ${last}::date
      AND recorded_on >= ${recordedOn}::date AND recorded_on < ${countedUntil}::date
    UNION ALL
    SELECT ${name} AS name, attempts FROM failure
    WHERE ${inPeriod} AND recorded_at >= ${countedUntil}
    UNION ALL
    SELECT ${name} AS name, attempts FROM failure
    WHERE ${inPeriod} AND recorded_at < ${countedUntil} AND at < ${new Date(begin)}
    UNION ALL
    SELECT ${name} AS name, attempts FROM failure
    WHERE ${inPeriod} AND recorded_at < ${countedUntil} AND at >= ${new Date(end)}`;
}

/** The first instants of the first whole day by UTC within the period, and of the day behind the last one. */
function wholeDays(since: number, until: number): [number, number] {
  return [Math.ceil(since / DAY_MS) * DAY_MS, Math.floor((until + 1) / DAY_MS) * DAY_MS];
}
