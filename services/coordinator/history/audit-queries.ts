/** Questions about the actions of operators and coordinators. */
import { Prisma, type PrismaClient } from "../../../prisma/client/client.ts";
import type { AuditRow } from "../../wire/api.ts";
import { makersOf } from "../../wire/ban-selection.ts";
import { markOf, placeOfMark, type Marked } from "./marks.ts";

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

interface Row extends Omit<AuditRow, "at"> {
  at: Date;
  id: string;
}

/** What was done, newest first: changes of bans, of the allowlist and of hosts. */
export async function findAudit(
  prisma: PrismaClient,
  query: AuditQuery,
): Promise<Marked<AuditRow>[]> {
  const ofAudit = conditionsOf(query, Prisma.sql`at`, Prisma.sql`key COLLATE "C"`);
  const ofBans = conditionsOf(query, Prisma.sql`changed_at`, Prisma.sql`id::text COLLATE "C"`);
  const rows = await prisma.$queryRaw<Row[]>(Prisma.sql`
    SELECT at, by, action, detail, id FROM (
      (SELECT at, by, action, detail, key COLLATE "C" AS id FROM audit
      WHERE ${ofAudit} ORDER BY at DESC, id DESC LIMIT ${query.limit})
      UNION ALL
      (SELECT changed_at AS at, by,
        CASE state WHEN 'active' THEN 'ban' WHEN 'held' THEN 'ban held' WHEN 'shadow' THEN 'ban in shadow'
          WHEN 'lifted' THEN 'ban lifted' ELSE 'ban expired' END AS action,
        regexp_replace(address::text, '^([^:]+)/32$|/128$', '\\1') || ' in ' || jail || ': ' || reason AS detail,
        id::text COLLATE "C" AS id
      FROM ban_change WHERE ${ofBans} ORDER BY changed_at DESC, id DESC LIMIT ${query.limit})
    ) AS done
    ORDER BY at DESC, id DESC LIMIT ${query.limit}`);
  return rows.map(({ at, id, ...row }) => {
    return { row: { ...row, at: at.getTime() }, mark: markOf(at, id) };
  });
}

function conditionsOf(query: AuditQuery, at: Prisma.Sql, id: Prisma.Sql): Prisma.Sql {
  const { by, since, until, all, after } = query;
  const conditions = [Prisma.sql`TRUE`];
  // An index has the changes that people have made, which are few.
  if (by === undefined ? !all : by !== "decider") conditions.push(Prisma.sql`by <> 'decider'`);
  if (by !== undefined) conditions.push(Prisma.sql`by = ANY(${makersOf(by)})`);
  if (since !== undefined) conditions.push(Prisma.sql`${at} >= ${new Date(since)}`);
  if (until !== undefined) conditions.push(Prisma.sql`${at} <= ${new Date(until)}`);
  if (after !== null) {
    const place = placeOfMark(after);
    conditions.push(Prisma.sql`${at} <= ${place.at}`);
    conditions.push(Prisma.sql`(${at}, ${id}) < (${place.at}, ${place.id})`);
  }
  return Prisma.join(conditions, " AND ");
}
