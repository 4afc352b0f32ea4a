/**
 * PostgreSQL through Prisma. It is the record, not the brake: nothing here may
 * stop a ban, so every failure to reach it is one kind of error that callers expect.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { PrismaPg } from "@prisma/adapter-pg";
import { migrate } from "../../../prisma/migrate.ts";
import * as z from "zod";
import { Prisma, PrismaClient } from "../../../prisma/client/client.ts";
import type { Log } from "../../process/log.ts";

/** PostgreSQL cannot be asked now; the message says why. */
export class HistoryUnavailable extends Error {
  override name = "HistoryUnavailable";
}

/** PostgreSQL is there, and cannot do it now: its disk is full, it may not write, it takes too long. */
export class HistoryStalled extends HistoryUnavailable {
  override name = "HistoryStalled";
}

/** PostgreSQL is there, and will not take what it was given, now or later. */
export class HistoryRefused extends HistoryUnavailable {
  override name = "HistoryRefused";
}

export interface Database {
  /** Runs `work`; throws HistoryUnavailable, HistoryStalled or HistoryRefused when it fails. */
  ask<T>(work: (prisma: PrismaClient) => Promise<T>): Promise<T>;
  reachable(): boolean;
  everReached(): boolean;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  url: string;
  log: Log;
}

const CHECK_EVERY_MS = 2_000;
/** Nobody who asks waits longer for a migration, which may take minutes. */
const MIGRATED_WITHIN_MS = 2_000;
/**
 * A question to every day of the bans takes some 1,600 locks, and PostgreSQL has room for some 15,000
 * of all connections with its default settings.
 */
const MAX_CONNECTIONS = 6;

export function openDatabase({ url, log }: DatabaseOptions): Database {
  const adapter = new PrismaPg({
    connectionString: url,
    connectionTimeoutMillis: 3_000,
    query_timeout: 30_000,
    keepAlive: true,
    max: MAX_CONNECTIONS,
  });
  const prisma = new PrismaClient({ adapter });
  const where = new URL(url).host;
  let reachable: boolean | undefined;
  let migrated = false;
  let isMigrating = false;
  let closed = false;
  let working: Promise<void> | undefined;

  function note(isReachable: boolean, reason = ""): void {
    if (reachable === isReachable) return;
    reachable = isReachable;
    if (isReachable) log.info({ postgres: where }, "PostgreSQL is reached");
    else log.error({ postgres: where, reason }, "PostgreSQL cannot be reached, keeps trying");
  }

  async function check(): Promise<void> {
    try {
      await prisma.$queryRaw`SELECT 1`;
      if (!migrated) {
        isMigrating = true;
        const applied = await migrate(url).finally(() => (isMigrating = false));
        if (applied.length > 0) log.info({ applied }, "database migrated");
        migrated = true;
      }
      note(true);
    } catch (error) {
      if (!closed) note(false, reasonOf(error));
    }
  }

  const checkAgain = () => (working ??= check().finally(() => (working = undefined)));
  const timer = setInterval(() => void checkAgain(), CHECK_EVERY_MS);
  void checkAgain();

  return {
    async ask(work) {
      if (!migrated)
        await Promise.race([checkAgain(), sleep(MIGRATED_WITHIN_MS, undefined, { ref: false })]);
      if (!migrated) {
        const why = isMigrating ? "the database is being migrated" : "cannot be reached";
        throw new HistoryUnavailable(`${where}: ${why}`);
      }
      try {
        const result = await work(prisma);
        note(true);
        return result;
      } catch (error) {
        await checkAgain();
        const Why = reachable === true ? whyOf(error) : HistoryUnavailable;
        throw new Why(`${where}: ${reasonOf(error)}`, { cause: error });
      }
    },
    reachable: () => reachable === true,
    everReached: () => migrated,
    async close() {
      closed = true;
      clearInterval(timer);
      await working;
      await prisma.$disconnect();
    },
  };
}

/** What the driver has heard of PostgreSQL. */
const driverError = z.object({
  driverAdapterError: z.object({
    cause: z.object({ originalCode: z.string(), originalMessage: z.string() }),
  }),
});

/** undefined: it is no error of PostgreSQL's. */
function answerOf(error: unknown): { code: string; message: string } | undefined {
  if (!(error instanceof Prisma.PrismaClientKnownRequestError)) return undefined;
  const { data } = driverError.safeParse(error.meta);
  const cause = data?.driverAdapterError.cause;
  return cause && { code: cause.originalCode, message: cause.originalMessage };
}

/**
 * Classes of SQLSTATE that are about the values: wrong data, constraints, a row that is too large.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const OF_VALUES = /^(?:22|23|54)/;

function whyOf(error: unknown): typeof HistoryRefused {
  const code = answerOf(error)?.code;
  if (code !== undefined) return OF_VALUES.test(code) ? HistoryRefused : HistoryStalled;
  // Without an answer: Prisma has not reached it, or the values are such that they were never sent.
  const isPrismas =
    error instanceof Prisma.PrismaClientKnownRequestError ||
    error instanceof Prisma.PrismaClientUnknownRequestError ||
    error instanceof Prisma.PrismaClientInitializationError;
  return isPrismas ? HistoryStalled : HistoryRefused;
}

/** A statement has taken too long. */
const QUERY_CANCELED = "57014";

/** Prisma explains at length; the reason is its last line. */
function reasonOf(error: unknown): string {
  const { code, message: said } = answerOf(error) ?? {};
  if (code === QUERY_CANCELED) return "the answer takes too long, ask for a shorter period";
  if (said !== undefined) return said;
  const text = error instanceof Error ? error.message : String(error);
  if (/^SASL: .*client password must be a/m.test(text)) {
    return "PostgreSQL asks for a password, and database.url has none";
  }
  return text.trim().split("\n").at(-1) ?? text;
}
