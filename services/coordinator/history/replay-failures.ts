/**
 * The failures of one jail on record, in the order of their time, for a simulation. They come in small
 * parts, and each part is read in slices, so that no ban waits for a simulation.
 */
import * as z from "zod";
import { Prisma, type PrismaClient } from "../../../prisma/client/client.ts";
import { inSlices } from "../../process/slices.ts";
import type { Attempts } from "../../policy/sliding-window.ts";
import type { Database } from "./database.ts";
import { sinceCondition } from "./failure-queries.ts";
import { canonical } from "./inet.ts";
import { askWithinTime } from "./within-time.ts";

export interface ReplayQuery {
  jail: string;
  since: number;
  until: number;
  /** At most as many rows of the record are looked at, the newest ones. */
  most: number;
  /** What is not looked at by then is left out. */
  isTimeOver: () => boolean;
  onFailure: (host: string, failure: Attempts) => void;
}

/** The part of the period that was looked at. */
export interface Replayed {
  since: number;
  until: number;
  isWhole: boolean;
  attempts: number;
}

/** PostgreSQL joins this many rows into one text, because a driver reads text faster than rows. */
const PART = 2_000;

/** id, at, host, address, attempts, user. */
const row = z.tuple([
  z.string(),
  z.number(),
  z.string(),
  z.string(),
  z.number(),
  z.string().nullable(),
]);

interface Place {
  at: number;
  id: string;
}

export async function replayFailures(database: Database, query: ReplayQuery): Promise<Replayed> {
  const { until, isTimeOver, onFailure } = query;
  const begin = await database.ask((prisma) => findBegin(prisma, query));
  const since = begin ?? query.since;
  const part = { ...query, since };
  let attempts = 0;
  let place: Place | undefined;
  for (;;) {
    const after = place;
    const lines = await database.ask((prisma) => readPart(prisma, part, after));
    await inSlices(lines, (line) => {
      const [id, at, host, address, count, user] = row.parse(JSON.parse(line));
      place = { at, id };
      attempts += count;
      onFailure(host, {
        address: canonical(address),
        at,
        attempts: count,
        user: user ?? undefined,
      });
    });
    if (lines.length < PART) return { since, until, isWhole: begin === undefined, attempts };
    if (isTimeOver()) return { since, until: place?.at ?? since, isWhole: false, attempts };
  }
}

/** Where the newest `most` failures begin; undefined: there are no more than that. */
async function findBegin(prisma: PrismaClient, query: ReplayQuery): Promise<number | undefined> {
  const [row] = await askWithinTime(
    prisma,
    (transaction) =>
      transaction.$queryRaw<{ at: Date }[]>`
      SELECT at FROM failure WHERE ${conditionOf(query)}
      ORDER BY at DESC OFFSET ${query.most} LIMIT 1`,
  );
  return row && row.at.getTime() + 1;
}

async function readPart(
  prisma: PrismaClient,
  query: ReplayQuery,
  after: Place | undefined,
): Promise<string[]> {
  const behind = after
    ? Prisma.sql`AND (at, id) > (${new Date(after.at)}, ${BigInt(after.id)}::bigint)`
    : Prisma.empty;
  const [found] = await askWithinTime(
    prisma,
    (transaction) =>
      // JSON escapes line feeds: each line is one row.
      transaction.$queryRaw<{ lines: string | null }[]>`
      SELECT string_agg(json_build_array(
        id::text, (extract(epoch FROM at) * 1000)::bigint, host, host(address), attempts, "user"
      )::text, E'\n' ORDER BY at, id) AS lines
      FROM (
        SELECT id, at, host, address, attempts, "user" FROM failure
        WHERE ${conditionOf(query)} ${behind}
        ORDER BY at, id LIMIT ${PART}
      ) AS part`,
  );
  return found?.lines?.split("\n") ?? [];
}

const conditionOf = ({ jail, since, until }: ReplayQuery) =>
  Prisma.sql`jail = ${jail} AND ${sinceCondition(since)} AND at <= ${new Date(until)}`;
