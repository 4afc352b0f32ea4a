/**
 * Erases the failures of a user or an address, for people who ask for it (GDPR). Nothing of them is
 * left in the numbers of `failure top`. They are not recorded again, because the record knows that it
 * had them (see reported.ts).
 */
import { Prisma, type PrismaClient } from "../../../prisma/client/client.ts";
import { count } from "../../config/count.ts";
import { isNetwork, type Address } from "../../wire/address.ts";
import { COUNTING_LOCK, countsOf } from "./failure-counts.ts";
import { DAY_MS, FAILURES, partitionsOf, spellDay, type Partition } from "./partitions.ts";

/** Whose failures: of the user of exactly this name, or of an address or network. */
export type Erasable = { user: string } | { address: Address };

export interface EraseOrder {
  by: string;
  reason: string;
  at: number;
  /** Names the entry of the audit. */
  id: string;
  /** How many failures there are. */
  failures: number;
}

export interface FoundFailures {
  failures: number;
  /** Of the attempts; null: there are none. */
  oldest: number | null;
  newest: number | null;
  /** Changes of bans of the address on record, which are not erased. */
  banChanges: number;
}

const ROWS_AT_ONCE = 5_000;
const WITHIN_MS = 30_000;

export async function findErasable(prisma: PrismaClient, whose: Erasable): Promise<FoundFailures> {
  const [found] = await prisma.$queryRaw<
    { failures: bigint; oldest: Date | null; newest: Date | null }[]
  >`SELECT count(*) AS failures, min(at) AS oldest, max(at) AS newest FROM failure
    WHERE ${conditionOf(whose)}`;
  return {
    failures: Number(found?.failures ?? 0),
    oldest: found?.oldest?.getTime() ?? null,
    newest: found?.newest?.getTime() ?? null,
    banChanges: "address" in whose ? await countBanChanges(prisma, whose) : 0,
  };
}

async function countBanChanges(prisma: PrismaClient, whose: Erasable): Promise<number> {
  const [found] = await prisma.$queryRaw<{ changes: bigint }[]>`
    SELECT count(*) AS changes FROM ban_change WHERE ${conditionOf(whose)}`;
  return Number(found?.changes ?? 0);
}

/**
 * Notes in the audit how many failures are erased, and erases them until `isTimeOver`. Returns how
 * many were erased. The audit names neither the user nor the address, for that would keep them.
 */
export async function eraseFailures(
  prisma: PrismaClient,
  whose: Erasable,
  { by, reason, at, id, failures }: EraseOrder,
  isTimeOver: () => boolean,
): Promise<number> {
  if (failures === 0) return 0;
  const detail = `${count(failures, "failure")} of ${"user" in whose ? "a user" : "an address"}`;
  await prisma.audit.create({
    data: {
      ...{ key: `erase.${id}`, at: new Date(at), by, action: "failure erase" },
      detail: reason === "" ? detail : `${detail}: ${reason}`,
    },
  });
  const partitions = await prisma.$queryRaw<Partition[]>(partitionsOf(FAILURES.table));
  let erased = 0;
  for (const partition of [...partitions.reverse(), DEFAULT_PARTITION]) {
    for (let rows = ROWS_AT_ONCE; rows === ROWS_AT_ONCE && !isTimeOver(); erased += rows) {
      rows = await eraseSome(prisma, whose, partition);
    }
  }
  return erased;
}

/** No numbers hold its rows. */
const DEFAULT_PARTITION: Partition = { name: "failure_default", from: null, until: new Date(0) };

/** Erases some rows of one partition, and takes them off the numbers of its day. */
async function eraseSome(
  prisma: PrismaClient,
  whose: Erasable,
  { name, until }: Partition,
): Promise<number> {
  const partition = Prisma.raw(`"${name}"`);
  const same = Prisma.sql`counted.recorded_on = ${spellDay(new Date(until.getTime() - DAY_MS))}::date
    AND counted.kind = less.kind AND counted.day = less.day AND counted.name = less.name`;
  return prisma.$transaction(
    async (transaction) => {
      await transaction.$queryRaw`SELECT pg_advisory_xact_lock(${COUNTING_LOCK}::bigint)::text`;
      const [gone] = await transaction.$queryRaw<{ rows: bigint }[]>`
        WITH gone AS (
          DELETE FROM ${partition} WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM ${partition} WHERE ${conditionOf(whose)} LIMIT ${ROWS_AT_ONCE}
          )) RETURNING *
        ), less AS (
          ${countsOf(Prisma.sql`SELECT * FROM gone`)}
        ), removed AS (
          DELETE FROM failure_count AS counted USING less
          WHERE ${same} AND counted.attempts <= less.attempts AND counted.kind <> 'all'
        ), reduced AS (
          UPDATE failure_count AS counted SET attempts = counted.attempts - less.attempts FROM less
          WHERE ${same} AND (counted.attempts > less.attempts OR counted.kind = 'all')
        )
        SELECT count(*) AS rows FROM gone`;
      return Number(gone?.rows ?? 0);
    },
    { timeout: WITHIN_MS, maxWait: WITHIN_MS },
  );
}

function conditionOf(whose: Erasable): Prisma.Sql {
  if ("user" in whose) return Prisma.sql`"user" = ${whose.user}`;
  const isWithin = isNetwork(whose.address) ? Prisma.sql`<<=` : Prisma.sql`=`;
  return Prisma.sql`address ${isWithin} ${whose.address}::inet`;
}
