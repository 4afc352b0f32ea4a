/** Questions about bans. Lists go from newest to oldest, by the last change. */
import { Prisma, type PrismaClient } from "../../../prisma/client/client.ts";
import { networksAround, type Address } from "../../wire/address.ts";
import { banBasis, type Ban } from "../../wire/ban.ts";
import { makersOf, type BanFilter } from "../../wire/ban-selection.ts";
import { BAN_COLUMNS, SHOWN_COLUMNS } from "./ban-columns.ts";
import type { Database } from "./database.ts";
import { canonical } from "./inet.ts";
import { markOf, placeOfMark, type Marked } from "./marks.ts";

/** Columns of ban_change as SQL gives them. */
interface BanRow {
  id: string;
  jail: string;
  address: string;
  state: string;
  starts_at: Date;
  until: Date | null;
  changed_at: Date;
  reason: string;
  held: string | null;
  offence: number;
  evidence: Ban["evidence"];
  by: string;
  immune_until: Date | null;
  counted_until: Date | null;
  basis: object | null;
  hosts: string[] | null;
  spared: NonNullable<Ban["spared"]> | null;
  policy_version: string | null;
  earlier: string[] | null;
  revision: bigint;
}

const STATES = ["active", "held", "shadow", "lifted", "expired"] as const;

function banOf(row: BanRow): Ban {
  return {
    v: 1,
    change: row.id,
    jail: row.jail,
    address: canonical(row.address),
    state: STATES.find((state) => state === row.state) ?? "active",
    startsAt: row.starts_at.getTime(),
    until: row.until?.getTime() ?? null,
    changedAt: row.changed_at.getTime(),
    reason: row.reason,
    ...(row.held !== null && { held: row.held }),
    offence: row.offence,
    evidence: row.evidence,
    by: row.by,
    immuneUntil: row.immune_until?.getTime() ?? null,
    countedUntil: row.counted_until?.getTime() ?? null,
    ...(row.basis && { basis: banBasis.parse(row.basis) }),
    ...(row.spared && { spared: row.spared }),
    ...(row.hosts && { hosts: row.hosts }),
    ...(row.policy_version !== null && { policyVersion: row.policy_version }),
    ...(row.earlier && { earlier: row.earlier.map((at) => Date.parse(at)) }),
  };
}

/**
 * Does a ban still count: is it in force or held, does it come back when the allowlist no longer covers
 * it, or is its address still immune?
 */
export function stillCounts(now: Date): Prisma.Sql {
  return Prisma.sql`(
    (state IN ('active', 'held', 'shadow') AND (until IS NULL OR until > ${now}))
    OR (state = 'lifted' AND immune_until > ${now})
    OR (state = 'lifted' AND spared IS NOT NULL AND (until IS NULL OR until > ${now}))
  )`;
}

/** Rows that are read at once: the coordinator does nothing else while it takes them. */
const RESTORED_AT_ONCE = 500;

export interface RestoreQuery {
  now: number;
  keptSeconds: number;
  /** Rows of a part. */
  most?: number;
}

/**
 * Bans that still count, and those that have ended within the last `keptSeconds`, in parts: there may
 * be a million. Each part is read when it is asked for.
 */
export async function* readBansToRestore(
  database: Pick<Database, "ask">,
  { most = RESTORED_AT_ONCE, ...query }: RestoreQuery,
): AsyncGenerator<Ban[], void> {
  let last: Ban | undefined;
  do {
    const behind = last;
    const part = await database.ask((prisma) => findToRestore(prisma, { ...query, most, behind }));
    yield part;
    last = part.length < most ? undefined : part.at(-1);
  } while (last);
}

async function findToRestore(
  prisma: PrismaClient,
  { now, keptSeconds, most, behind }: Required<RestoreQuery> & { behind: Ban | undefined },
): Promise<Ban[]> {
  const since = new Date(now - keptSeconds * 1000);
  const place = behind
    ? Prisma.sql`(jail, address) > (${behind.jail}, ${behind.address}::inet)`
    : Prisma.sql`true`;
  const rows = await prisma.$queryRaw<BanRow[]>(Prisma.sql`
    SELECT ${SHOWN_COLUMNS} FROM ban
    WHERE ${place} AND (${stillCounts(new Date(now))}
      OR (CASE WHEN state IN ('active', 'held', 'shadow') THEN until ELSE changed_at END) > ${since})
    ORDER BY jail, address LIMIT ${most}`);
  return rows.map(banOf);
}

export interface EndedBansQuery {
  addresses: readonly Address[];
  now: number;
  keptSeconds: number;
}

/**
 * The last state of each ban of these addresses that has not ended more than `keptSeconds` ago, in
 * the order in which the bans of an address began.
 */
export async function findBansOf(
  prisma: PrismaClient,
  { addresses, now, keptSeconds }: EndedBansQuery,
): Promise<Ban[]> {
  const since = new Date(now - keptSeconds * 1000);
  const wanted = Prisma.sql`address = ANY(${[...addresses]}::inet[])`;
  // The table of bans has those in force whose changes are too old to be kept.
  const rows = await prisma.$queryRaw<BanRow[]>(Prisma.sql`
    SELECT ${SHOWN_COLUMNS} FROM (
      SELECT DISTINCT ON (address, jail, starts_at) * FROM (
        SELECT ${BAN_COLUMNS} FROM ban_change WHERE ${wanted}
        UNION ALL SELECT ${BAN_COLUMNS} FROM ban WHERE ${wanted}
      ) AS changes
      ORDER BY address, jail, starts_at, changed_at DESC, revision DESC
    ) AS last
    WHERE changed_at > ${since} OR until IS NULL OR until > ${since}
    ORDER BY starts_at`);
  return rows.map(banOf);
}

export interface BanQuery extends BanFilter {
  jail?: string | undefined;
  address?: Address | undefined;
  limit: number;
  after: string | null;
}

/** The last word on every ban that is kept, newest first. */
export async function findBans(
  prisma: PrismaClient,
  query: BanQuery & { now: number },
): Promise<Marked<Ban>[]> {
  const place = query.after === null ? undefined : placeOfMark(query.after);
  const behind = place
    ? Prisma.sql`AND (changed_at, id) < (${place.at}, ${place.id}::uuid)`
    : Prisma.empty;
  const rows = await prisma.$queryRaw<BanRow[]>(Prisma.sql`
    SELECT ${SHOWN_COLUMNS} FROM ban
    WHERE ${conditionOf(query)} AND ${filterOf(query)} ${behind}
    ORDER BY changed_at DESC, id DESC LIMIT ${query.limit}`);
  return rows.map((row) => ({ row: banOf(row), mark: markOf(row.changed_at, row.id) }));
}

/** Every change of the bans that have an address in common with the given one, oldest first. */
export async function findChanges(
  prisma: PrismaClient,
  query: Omit<BanQuery, "after">,
): Promise<Ban[]> {
  // The table of bans knows which networks around the address were banned: every day's partition is
  // then asked for these alone.
  const known = await prisma.$queryRaw<{ address: string }[]>(Prisma.sql`
    SELECT DISTINCT host(address) || '/' || masklen(address) AS address FROM ban
    WHERE ${commonCondition(query)} LIMIT ${MOST_KNOWN}`);
  if (known.length === 0) return [];
  const addresses = known.map(({ address }) => address);
  const ofKnown = Prisma.sql`address = ANY(${addresses}::inet[])`;
  const condition = known.length < MOST_KNOWN ? ofKnown : commonCondition(query);
  const ofJail = query.jail === undefined ? Prisma.sql`TRUE` : Prisma.sql`jail = ${query.jail}`;
  const rows = await prisma.$queryRaw<BanRow[]>(Prisma.sql`
    SELECT ${SHOWN_COLUMNS} FROM ban_change WHERE ${ofJail} AND ${condition}
    ORDER BY changed_at DESC, revision DESC LIMIT ${query.limit}`);
  return rows.map(banOf).reverse();
}

/** As many addresses are looked up one by one; a network that has more is looked up as a whole. */
const MOST_KNOWN = 100;

/** Of the last word on a ban. */
function filterOf(query: BanFilter & { now: number }): Prisma.Sql {
  const { within, by, policyVersion, reason, since, until, endingWithin, now } = query;
  const given = (value: unknown, condition: Prisma.Sql) => (value === undefined ? [] : [condition]);
  const conditions = [
    Prisma.sql`TRUE`,
    ...given(within, Prisma.sql`address <<= ${within}::inet`),
    ...given(by, Prisma.sql`by = ANY(${makersOf(by ?? "")})`),
    ...given(policyVersion, Prisma.sql`policy_version = ${policyVersion}`),
    ...given(reason, Prisma.sql`position(lower(${reason}) in lower(reason)) > 0`),
    ...given(since, Prisma.sql`changed_at >= ${new Date(since ?? 0)}`),
    ...given(until, Prisma.sql`changed_at <= ${new Date(until ?? 0)}`),
    ...given(
      endingWithin,
      Prisma.sql`(state = 'active' AND until > ${new Date(now)}
        AND until <= ${new Date(now + (endingWithin ?? 0) * 1000)})`,
    ),
  ];
  return Prisma.join(conditions, " AND ");
}

function conditionOf({ jail, address }: Pick<BanQuery, "jail" | "address">): Prisma.Sql {
  const ofJail = jail === undefined ? Prisma.sql`TRUE` : Prisma.sql`jail = ${jail}`;
  return Prisma.sql`${ofJail} AND ${commonCondition({ address })}`;
}

/** Has it an address in common with the given one? */
function commonCondition({ address }: Pick<BanQuery, "address">): Prisma.Sql {
  if (address === undefined) return Prisma.sql`TRUE`;
  // An index finds the networks around an address by their names, because they are few.
  const around = networksAround(address);
  return Prisma.sql`(address <<= ${address}::inet OR address = ANY(${around}::inet[]))`;
}
