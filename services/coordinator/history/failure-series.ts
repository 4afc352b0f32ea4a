/**
 * Attempts and bans in steps of a period. A period of months has steps of whole days by UTC: they are
 * taken from the numbers of the days that are counted (failure-counts.ts), not from the failures.
 */
import { Prisma, type PrismaClient } from "../../../prisma/client/client.ts";
import { isNetwork, type Address } from "../../wire/address.ts";
import type { TopKind } from "../../wire/api.ts";
import { divide, failuresOf, findCounted, isOfCells, NOTHING_COUNTED } from "./counted-days.ts";
import { filterConditions, type FailureFilter } from "./failure-queries.ts";
import { DAY_MS } from "./partitions.ts";
import { askWithinTime, type Transaction } from "./within-time.ts";

export interface SeriesQuery extends FailureFilter {
  since: number;
  until: number;
}

export interface Series {
  /** The begin of the first step. */
  since: number;
  stepSeconds: number;
  attempts: number[];
  /** null: bans do not have what was asked for. */
  bans: number[] | null;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** The first of these that makes few enough steps; beyond them, whole days. */
const STEPS_MS = [
  ...[MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS, DAY_MS],
];
const ENOUGH_STEPS = 300;

interface Steps {
  since: number;
  /** Behind the last step. */
  end: number;
  stepMs: number;
}

export function findSeries(prisma: PrismaClient, query: SeriesQuery): Promise<Series> {
  const steps = stepsOf(query);
  return askWithinTime(prisma, async (transaction) => {
    const attempts = await transaction.$queryRaw<Row[]>(
      await attemptsIn(transaction, steps, query),
    );
    const hasBans = [query.user, query.domain, query.host].every((each) => each === undefined);
    const bans = hasBans ? await transaction.$queryRaw<Row[]>(bansIn(steps, query)) : undefined;
    return {
      ...{ since: steps.since, stepSeconds: steps.stepMs / 1000 },
      ...{ attempts: fill(steps, attempts), bans: bans ? fill(steps, bans) : null },
    };
  });
}

/** Nothing failed before 1970, and every instant of the steps can be spelled. */
export function stepsOf(query: Pick<SeriesQuery, "since" | "until">): Steps {
  const since = Math.max(query.since, 0);
  const until = Math.max(query.until, since);
  const length = until - since;
  const days = Math.max(1, Math.ceil(length / ENOUGH_STEPS / DAY_MS));
  const stepMs = STEPS_MS.find((each) => length / each <= ENOUGH_STEPS) ?? days * DAY_MS;
  const first = Math.floor(since / stepMs);
  const last = Math.floor(until / stepMs);
  return { since: first * stepMs, end: (last + 1) * stepMs, stepMs };
}

interface Row {
  /** Number of the step since 1970. */
  step: bigint;
  count: bigint;
}

/** The rows with zeros between them. */
function fill({ since, end, stepMs }: Steps, rows: readonly Row[]): number[] {
  const first = since / stepMs;
  const counts = new Array<number>((end - since) / stepMs).fill(0);
  for (const { step, count } of rows) counts[Number(step) - first] = Number(count);
  return counts;
}

/**
 * The step of an instant; `at` is an SQL expression. date_part and floats: extract would calculate in
 * numeric, which takes several times as long for a million rows.
 */
const stepOf = (at: Prisma.Sql, { stepMs }: Steps) =>
  Prisma.sql`floor(date_part('epoch', ${at}) / ${stepMs / 1000}::float8)::bigint`;

async function attemptsIn(
  transaction: Transaction,
  steps: Steps,
  filter: FailureFilter,
): Promise<Prisma.Sql> {
  const kind = steps.stepMs % DAY_MS === 0 ? kindOf(filter) : undefined;
  const period = { since: steps.since, until: steps.end - 1 };
  const divided = divide(period, kind ? await findCounted(transaction, period) : NOTHING_COUNTED);
  const counted =
    kind && divided.cells.length > 0
      ? Prisma.sql`
          UNION ALL SELECT ${stepOf(Prisma.sql`day`, steps)} AS step, attempts FROM failure_count
          WHERE kind = ${kind.kind} AND name = ${kind.name} AND ${isOfCells(divided)}`
      : Prisma.empty;
  return Prisma.sql`
    SELECT step, sum(attempts)::bigint AS count FROM (
      SELECT ${stepOf(Prisma.sql`at`, steps)} AS step, attempts
      FROM (${failuresOf(divided.rests)}) AS failure
      WHERE ${Prisma.join(filterConditions(filter), " AND ")}
      ${counted}
    ) AS found GROUP BY step`;
}

/** What `failure_count` calls the failures that are asked for; undefined: it does not count them. */
function kindOf(filter: FailureFilter): { kind: TopKind | "all"; name: string } | undefined {
  const given = Object.entries({
    ...{ address: filter.address, user: filter.user, domain: filter.domain?.toLowerCase() },
    ...{ host: filter.host, jail: filter.jail },
  }).flatMap(([kind, name]) => (name === undefined ? [] : [{ kind, name }]));
  const [only, ...more] = given;
  if (!only) return { kind: "all", name: "" };
  if (more.length > 0) return undefined;
  switch (only.kind) {
    case "address":
      return isNetwork(only.name as Address) ? undefined : { kind: "address", name: only.name };
    case "user":
    case "domain":
    case "host":
      return { kind: only.kind, name: only.name };
    default:
      return undefined;
  }
}

/** A ban begins with the change at its begin; every later change of it keeps the begin. */
function bansIn(steps: Steps, { address, jail }: FailureFilter): Prisma.Sql {
  const isWithin = address !== undefined && isNetwork(address) ? Prisma.sql`<<=` : Prisma.sql`=`;
  const ofAddress =
    address === undefined ? Prisma.empty : Prisma.sql`AND address ${isWithin} ${address}::inet`;
  const ofJail = jail === undefined ? Prisma.empty : Prisma.sql`AND jail = ${jail}`;
  return Prisma.sql`
    SELECT ${stepOf(Prisma.sql`changed_at`, steps)} AS step, count(*) AS count FROM ban_change
    WHERE changed_at >= ${spell(steps.since)} AND changed_at < ${spell(steps.end)}
      AND state = 'active' AND starts_at = changed_at ${ofAddress} ${ofJail}
    GROUP BY step`;
}

const FIRST_MS = Date.parse("0001-01-01T00:00:00.000Z");
const LAST_MS = Date.parse("9999-12-31T23:59:59.999Z");

/** An instant that PostgreSQL can store. */
const spell = (at: number) => new Date(Math.min(Math.max(at, FIRST_MS), LAST_MS));
