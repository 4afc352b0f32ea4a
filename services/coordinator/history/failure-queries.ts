/** Questions about failures. Lists go from newest to oldest, by the time of the attempt. */
import { Prisma, type PrismaClient } from "../../../prisma/client/client.ts";
import { isNetwork, type Address } from "../../wire/address.ts";
import type { FailureRow } from "../../wire/api.ts";
import { canonical } from "./inet.ts";
import { FIRST_MS, markOf, placeOfMark, type Marked } from "./marks.ts";
import { DAY_MS } from "./partitions.ts";

/** Which failures are meant. */
export interface FailureFilter {
  address?: Address | undefined;
  user?: string | undefined;
  /** The part of the user behind its last "@", in any case. */
  domain?: string | undefined;
  host?: string | undefined;
  jail?: string | undefined;
}

export interface FailureQuery extends FailureFilter {
  since?: number | undefined;
  until?: number | undefined;
  limit: number;
  after: string | null;
}

/** The mail domain of a user. An index has the same expression (see the migration history_by_day). */
export const DOMAIN = Prisma.raw(
  `(CASE WHEN "user" LIKE '%@%' THEN lower(split_part("user", '@', -1)) END)`,
);

interface Row extends Omit<FailureRow, "at" | "address"> {
  id: bigint;
  at: Date;
  address: string;
}

export async function findFailures(
  prisma: PrismaClient,
  query: FailureQuery,
): Promise<Marked<FailureRow>[]> {
  const rows = await prisma.$queryRaw<Row[]>(Prisma.sql`
    SELECT id, at, host, jail, host(address) AS address, attempts, "user", service, session, form
    FROM failure WHERE ${Prisma.join(conditionsOf(query), " AND ")}
    ORDER BY at DESC, id DESC LIMIT ${query.limit}`);
  return rows.map(({ id, at, address, ...row }) => ({
    row: { ...row, at: at.getTime(), address: canonical(address) },
    mark: markOf(at, id),
  }));
}

function conditionsOf(query: FailureQuery): Prisma.Sql[] {
  const { since, until, after } = query;
  const conditions = filterConditions(query);
  if (since !== undefined) conditions.push(sinceCondition(since));
  if (until !== undefined) conditions.push(Prisma.sql`at <= ${new Date(until)}`);
  if (after !== null) {
    const { at, id } = placeOfMark(after);
    conditions.push(Prisma.sql`(at, id) < (${at}, ${BigInt(id)}::bigint)`);
  }
  return conditions;
}

export function filterConditions(filter: FailureFilter): Prisma.Sql[] {
  const { address, user, domain, host, jail } = filter;
  const conditions = [Prisma.sql`TRUE`];
  if (address !== undefined) {
    const isWithin = isNetwork(address) ? Prisma.sql`<<=` : Prisma.sql`=`;
    conditions.push(Prisma.sql`address ${isWithin} ${address}::inet`);
  }
  if (user !== undefined) conditions.push(Prisma.sql`"user" = ${user}`);
  if (domain !== undefined) conditions.push(Prisma.sql`${DOMAIN} = ${domain.toLowerCase()}`);
  if (host !== undefined) conditions.push(Prisma.sql`host = ${host}`);
  if (jail !== undefined) conditions.push(Prisma.sql`jail = ${jail}`);
  return conditions;
}

/**
 * Nothing is recorded before it happens, so older partitions need not be read. PostgreSQL's clock may
 * differ from NATS's.
 */
export function sinceCondition(since: number): Prisma.Sql {
  return Prisma.sql`at >= ${new Date(since)} AND recorded_at >= ${dayBefore(since)}`;
}

/** PostgreSQL has no year 0. */
export function dayBefore(at: number): Date {
  return new Date(Math.max(at - DAY_MS, FIRST_MS));
}
