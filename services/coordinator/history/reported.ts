/**
 * Records failures, each of them once. Positions of a source only grow within an epoch, so the record
 * keeps the last one of every source. A unique index could not do this: it would have to stand on
 * every day's partition, and nobody knows in which day's partition a failure was recorded before. It
 * would also bring back failures that were erased.
 *
 * Invariants:
 * - One statement writes the failures of a source and moves the position of the source.
 * - The position moves only from where the statement has found it (compare-and-set). So of two
 *   coordinators that record at once, while one takes over from the other, one records a failure.
 */
import { Prisma, type PrismaClient } from "../../../prisma/client/client.ts";
import type { FailureBatch } from "../../wire/failure.ts";
import { failureRows, FAILURE_COLUMNS } from "./insert.ts";
import type { WhereaboutsBook } from "./whereabouts.ts";

/** May be repeated: failures that are recorded already change nothing. */
export async function recordFailures(
  prisma: PrismaClient,
  batches: readonly FailureBatch[],
  whereabouts: Pick<WhereaboutsBook, "of">,
): Promise<void> {
  if (batches.length === 0) return;
  const { fresh, ends } = takeOnce(batches);
  for (let left = ends.length; left > 0;) {
    // Where another coordinator has moved a position meanwhile, the statement is given again.
    const [conflicts] = await prisma.$queryRaw<{ count: bigint }[]>(Prisma.sql`
      WITH source AS (
        SELECT * FROM unnest(
          ${ends.map(({ host }) => host)}::text[],
          ${ends.map(({ source }) => source)}::text[],
          ${ends.map(({ epoch }) => epoch)}::text[],
          ${ends.map(({ position }) => position)}::bigint[]
        ) AS source (host, source, epoch, position)
      ), before AS (
        SELECT host, source, epoch, reported.position
        FROM reported JOIN source USING (host, source, epoch)
      ), moved AS (
        INSERT INTO reported AS kept (host, source, epoch, position)
        SELECT host, source, epoch, position FROM source ORDER BY host, source, epoch
        ON CONFLICT (host, source, epoch) DO UPDATE
        SET position = excluded.position, recorded_at = excluded.recorded_at
        WHERE kept.position < excluded.position AND kept.position = (
          SELECT position FROM reported AS found
          WHERE (found.host, found.source, found.epoch) = (excluded.host, excluded.source, excluded.epoch)
        )
        RETURNING host, source, epoch
      ), fresh AS MATERIALIZED (
        SELECT host, source, epoch, coalesce(before.position, -1) AS recorded
        FROM moved LEFT JOIN before USING (host, source, epoch)
      ), added AS (
        INSERT INTO failure (${FAILURE_COLUMNS})
        SELECT ${FAILURE_COLUMNS} FROM (${failureRows(fresh, whereabouts)}) AS given
        JOIN fresh USING (host, source, epoch)
        WHERE given.position > fresh.recorded
      )
      SELECT count(*) FROM source
      LEFT JOIN before USING (host, source, epoch)
      LEFT JOIN moved USING (host, source, epoch)
      WHERE moved.host IS NULL AND source.position > coalesce(before.position, -1)`);
    left = Number(conflicts?.count ?? 0);
  }
}

interface End {
  host: string;
  source: string;
  epoch: string;
  position: number;
}

/** The batches without what an earlier one of them has, and where each source ends with them. */
function takeOnce(batches: readonly FailureBatch[]): { fresh: FailureBatch[]; ends: End[] } {
  const ends = new Map<string, End>();
  const fresh = batches.map((batch) => {
    const { host, source, epoch, failures } = batch;
    const name = `${host}/${source}/${epoch}`;
    const end = ends.get(name)?.position ?? -1;
    const last = failures.reduce((most, { position }) => Math.max(most, position), batch.to);
    ends.set(name, { host, source, epoch, position: Math.max(end, last) });
    const isNew = ({ position }: { position: number }) => position > end;
    return failures.every(isNew) ? batch : { ...batch, failures: failures.filter(isNew) };
  });
  return { fresh, ends: [...ends.values()] };
}
