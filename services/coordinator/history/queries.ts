/** People's questions to the record. Lists go from newest to oldest, beginning behind `after`. */
import { Prisma, type PrismaClient } from "../../../prisma/client/client.ts";
import { isNetwork, parseNetwork, type Address } from "../../wire/address.ts";
import type { AuditRow, FailureRow } from "../../wire/api.ts";
import { banBasis, type Ban } from "../../wire/ban.ts";
import { makersOf, type BanFilter } from "../../wire/ban-selection.ts";
import type { Allowed } from "../../wire/settings.ts";

/** A row, and `after` of the list that begins behind it. */
export interface Marked<T> {
  row: T;
  mark: string;
}

export interface FailureQuery {
  address?: Address | undefined;
  user?: string | undefined;
  host?: string | undefined;
  jail?: string | undefined;
  since?: number | undefined;
  until?: number | undefined;
  limit: number;
  after: string | null;
}

/** PostgreSQL's own operator finds addresses within a network; Prisma has no word for it. */
async function idsWithin(
  prisma: PrismaClient,
  query: FailureQuery,
  address: Address,
): Promise<bigint[]> {
  const rows = await prisma.$queryRaw<{ id: bigint }[]>(Prisma.sql`
    SELECT id FROM failure WHERE address <<= ${address}::inet
      ${query.after === null ? Prisma.empty : Prisma.sql`AND id < ${BigInt(query.after)}`}
      ${query.jail === undefined ? Prisma.empty : Prisma.sql`AND jail = ${query.jail}`}
      ${query.user === undefined ? Prisma.empty : Prisma.sql`AND "user" = ${query.user}`}
      ${query.host === undefined ? Prisma.empty : Prisma.sql`AND host = ${query.host}`}
      ${query.since === undefined ? Prisma.empty : Prisma.sql`AND at >= ${new Date(query.since)}`}
      ${query.until === undefined ? Prisma.empty : Prisma.sql`AND at <= ${new Date(query.until)}`}
    ORDER BY id DESC LIMIT ${query.limit}`);
  return rows.map(({ id }) => id);
}

export async function findFailures(
  prisma: PrismaClient,
  query: FailureQuery,
): Promise<Marked<FailureRow>[]> {
  const { address, user, host, jail, since, until, limit, after } = query;
  const within = address !== undefined && isNetwork(address);
  const rows = await prisma.failure.findMany({
    where: within
      ? { id: { in: await idsWithin(prisma, query, address) } }
      : {
          ...(after !== null && { id: { lt: BigInt(after) } }),
          ...(address !== undefined && { address }),
          ...(user !== undefined && { user }),
          ...(host !== undefined && { host }),
          ...(jail !== undefined && { jail }),
          at: {
            ...(since !== undefined && { gte: new Date(since) }),
            ...(until !== undefined && { lte: new Date(until) }),
          },
        },
    orderBy: { id: "desc" },
    take: limit,
  });
  return rows.map((row) => ({
    row: {
      at: row.at.getTime(),
      host: row.host,
      jail: row.jail,
      address: canonical(row.address),
      attempts: row.attempts,
      user: row.user,
      service: row.service,
      session: row.session,
      form: row.form,
    },
    mark: String(row.id),
  }));
}

/** Columns of ban_change as SQL gives them. */
interface BanRow {
  change: string;
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

const BAN_COLUMNS = Prisma.raw(
  "change, jail, host(address) || '/' || masklen(address) AS address, state, starts_at, until, changed_at, reason, held, offence, evidence, by, immune_until, counted_until, basis, hosts, spared, policy_version, earlier, revision",
);

const STATES = ["active", "held", "shadow", "lifted", "expired"] as const;

function banOf(row: BanRow): Ban {
  return {
    v: 1,
    change: row.change,
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
 * Bans in force, bans that are held, those that the allowlist has lifted before their time, those
 * that were lifted and whose addresses still are immune, and those that have ended within the last
 * `keptSeconds`.
 */
export async function findBansToRestore(
  prisma: PrismaClient,
  now: number,
  keptSeconds: number,
): Promise<Ban[]> {
  const since = new Date(now - keptSeconds * 1000);
  const rows = await prisma.$queryRaw<BanRow[]>(Prisma.sql`
    SELECT ${BAN_COLUMNS} FROM (
      SELECT DISTINCT ON (jail, address) * FROM ban_change
      ORDER BY jail, address, changed_at DESC, revision DESC
    ) AS latest
    WHERE (state IN ('active', 'held', 'shadow') AND (until IS NULL OR until > ${new Date(now)}))
      OR (state = 'lifted' AND immune_until > ${new Date(now)})
      OR (state = 'lifted' AND spared IS NOT NULL AND (until IS NULL OR until > ${new Date(now)}))
      OR (CASE WHEN state IN ('active', 'held', 'shadow') THEN until ELSE changed_at END) > ${since}`);
  return rows.map(banOf);
}

/**
 * The last state of each ban of these addresses that has not ended more than `keptSeconds` ago, in
 * the order in which the bans of an address began.
 */
export async function findBansOf(
  prisma: PrismaClient,
  {
    addresses,
    now,
    keptSeconds,
  }: { addresses: readonly Address[]; now: number; keptSeconds: number },
): Promise<Ban[]> {
  const since = new Date(now - keptSeconds * 1000);
  const rows = await prisma.$queryRaw<BanRow[]>(Prisma.sql`
    SELECT ${BAN_COLUMNS} FROM (
      SELECT DISTINCT ON (address, jail, starts_at) * FROM ban_change
      WHERE address = ANY(${[...addresses]}::inet[])
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

/** The last word on every ban there ever was, newest first. */
export async function findBans(
  prisma: PrismaClient,
  query: BanQuery & { now: number },
): Promise<Marked<Ban>[]> {
  const offset = query.after === null ? 0 : Number(query.after);
  const rows = await prisma.$queryRaw<BanRow[]>(Prisma.sql`
    SELECT ${BAN_COLUMNS} FROM (
      SELECT DISTINCT ON (jail, address) * FROM ban_change
      WHERE ${conditionOf(query)}
      ORDER BY jail, address, changed_at DESC, revision DESC
    ) AS latest
    WHERE ${filterOf(query)}
    ORDER BY changed_at DESC, change LIMIT ${query.limit} OFFSET ${offset}`);
  return rows.map((row, index) => ({ row: banOf(row), mark: String(offset + index + 1) }));
}

/** Every change of the bans that have an address in common with the given one, oldest first. */
export async function findChanges(
  prisma: PrismaClient,
  query: Omit<BanQuery, "after">,
): Promise<Ban[]> {
  const rows = await prisma.$queryRaw<BanRow[]>(Prisma.sql`
    SELECT ${BAN_COLUMNS} FROM ban_change WHERE ${conditionOf(query)}
    ORDER BY changed_at DESC, revision DESC LIMIT ${query.limit}`);
  return rows.map(banOf).reverse();
}

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
  if (address === undefined) return ofJail;
  return Prisma.sql`${ofJail} AND (address <<= ${address}::inet OR address >> ${address}::inet)`;
}

export interface AuditQuery {
  /** An operator's name, or "decider", "config". */
  by?: string | undefined;
  since?: number | undefined;
  until?: number | undefined;
  /** Also what the coordinator has decided by itself. */
  all: boolean;
  limit: number;
  after: string | null;
}

/** What was done, newest first: changes of bans, of the allowlist and of hosts. */
export async function findAudit(
  prisma: PrismaClient,
  query: AuditQuery,
): Promise<Marked<AuditRow>[]> {
  const { by, since, until, all, limit, after } = query;
  const offset = after === null ? 0 : Number(after);
  const makers = by === undefined ? [] : makersOf(by);
  const rows = await prisma.$queryRaw<
    { at: Date; by: string; action: string; detail: string }[]
  >(Prisma.sql`
    SELECT at, by, action, detail FROM (
      SELECT at, by, action, detail, key AS id FROM audit
      UNION ALL
      SELECT changed_at AS at, by,
        CASE state WHEN 'active' THEN 'ban' WHEN 'held' THEN 'ban held' WHEN 'shadow' THEN 'ban in shadow' WHEN 'lifted' THEN 'ban lifted'
          ELSE 'ban expired' END AS action,
        regexp_replace(address::text, '^([^:]+)/32$|/128$', '\\1') || ' in ' || jail || ': ' || reason AS detail, change::text AS id
      FROM ban_change
    ) AS done
    WHERE ${all ? Prisma.sql`TRUE` : Prisma.sql`by <> 'decider'`}
      ${by === undefined ? Prisma.empty : Prisma.sql`AND by = ANY(${makers})`}
      ${since === undefined ? Prisma.empty : Prisma.sql`AND at >= ${new Date(since)}`}
      ${until === undefined ? Prisma.empty : Prisma.sql`AND at <= ${new Date(until)}`}
    ORDER BY at DESC, id LIMIT ${limit} OFFSET ${offset}`);
  return rows.map(({ at, ...row }, index) => {
    return { row: { at: at.getTime(), ...row }, mark: String(offset + index + 1) };
  });
}

export async function findAllowed(prisma: PrismaClient): Promise<Allowed[]> {
  const rows = await prisma.allowed.findMany();
  return rows.map(({ address, jail, comment, addedAt, by, until, label }) => ({
    v: 1,
    ...(jail !== "" && { jail }),
    ...(until && { until: until.getTime() }),
    ...(label !== null && { label }),
    address: canonical(address),
    comment,
    addedAt: addedAt.getTime(),
    by,
    origin: "operator",
  }));
}

/** PostgreSQL's spelling of an inet in ours; what it stores was canonical when it was written. */
function canonical(text: string): Address {
  const address = parseNetwork(text);
  if (address === undefined) throw new Error(`"${text}": not an inet of PostgreSQL`);
  return address;
}
