/** The attacks on an account: the failures of one user, by address and by host. */
import { Prisma, type PrismaClient } from "../../../prisma/client/client.ts";
import type { Address } from "../../wire/address.ts";
import { sinceCondition } from "./failure-queries.ts";
import { canonical } from "./inet.ts";
import { askWithinTime } from "./within-time.ts";

export interface AccountQuery {
  user: string;
  since: number;
  until: number;
  /** Addresses, and hosts. */
  limit: number;
}

export interface AccountFailures {
  attempts: number;
  /** null: there is no attempt. */
  firstAt: number | null;
  lastAt: number | null;
  /** Most attempts first. */
  addresses: { address: Address; attempts: number; firstAt: number; lastAt: number }[];
  addressCount: number;
  /** Most attempts first. */
  hosts: { name: string; attempts: number }[];
}

interface Row {
  kind: "all" | "address" | "host";
  name: string;
  attempts: bigint;
  /** With `all`: how many addresses there are. */
  count: bigint;
  first: Date;
  last: Date;
}

export async function findAccount(
  prisma: PrismaClient,
  { user, since, until, limit }: AccountQuery,
): Promise<AccountFailures> {
  const numbers = Prisma.sql`
    sum(attempts)::bigint AS attempts, count(DISTINCT address) AS count,
    min(first) AS first, max(last) AS last`;
  const rows = await askWithinTime(prisma, (transaction) =>
    transaction.$queryRaw<Row[]>(Prisma.sql`
      WITH found AS MATERIALIZED (
        SELECT address, host, sum(attempts) AS attempts, min(at) AS first, max(at) AS last
        FROM failure
        WHERE "user" = ${user} AND ${sinceCondition(since)} AND at <= ${new Date(until)}
        GROUP BY address, host
      )
      (SELECT 'address' AS kind, host(address) AS name, ${numbers} FROM found
       GROUP BY address ORDER BY attempts DESC, address LIMIT ${limit})
      UNION ALL
      (SELECT 'host', host, ${numbers} FROM found
       GROUP BY host ORDER BY attempts DESC, host LIMIT ${limit})
      UNION ALL
      SELECT 'all', '', ${numbers} FROM found HAVING count(*) > 0`),
  );
  const of = (kind: Row["kind"]) => rows.filter((row) => row.kind === kind);
  const [all] = of("all");
  return {
    attempts: Number(all?.attempts ?? 0),
    firstAt: all?.first.getTime() ?? null,
    lastAt: all?.last.getTime() ?? null,
    addresses: of("address").map(({ name, attempts, first, last }) => ({
      ...{ address: canonical(name), attempts: Number(attempts) },
      ...{ firstAt: first.getTime(), lastAt: last.getTime() },
    })),
    addressCount: Number(all?.count ?? 0),
    hosts: of("host").map(({ name, attempts }) => ({ name, attempts: Number(attempts) })),
  };
}
