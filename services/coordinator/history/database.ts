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
import { nameMissingPassword } from "./connection-trouble.ts";

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

export function openDatabase(options: DatabaseOptions): Database {
  const database = new WatchedDatabase(options);
  return {
    ask: (work) => database.ask(work),
    reachable: () => database.reachable(),
    everReached: () => database.everReached(),
    close: () => database.close(),
  };
}

type Schema =
  | "unknown" // No migration has been tried, or the last one has failed.
  | "being migrated"
  | "up to date";

/** Looks every other second whether PostgreSQL is there. */
class WatchedDatabase {
  readonly #options: DatabaseOptions;
  readonly #prisma: PrismaClient;
  /** Names the server in messages. */
  readonly #where: string;
  /** When PostgreSQL was asked last; undefined: it was not asked yet. */
  #isReachable: boolean | undefined;
  #schema: Schema = "unknown";
  readonly #timer: NodeJS.Timeout;
  #isClosed = false;
  /** One check runs at a time. */
  #checking: Promise<void> | undefined;

  constructor(options: DatabaseOptions) {
    this.#options = options;
    this.#prisma = openPrisma(options.url);
    this.#where = new URL(options.url).host;
    this.#timer = setInterval(() => void this.#checkAgain(), CHECK_EVERY_MS);
    void this.#checkAgain();
  }

  async ask<T>(work: (prisma: PrismaClient) => Promise<T>): Promise<T> {
    await this.#untilMigrated();
    try {
      const result = await work(this.#prisma);
      this.#note(true);
      return result;
    } catch (error) {
      await this.#checkAgain();
      const Why = this.reachable() ? whyOf(error) : HistoryUnavailable;
      throw new Why(`${this.#where}: ${reasonOf(error)}`, { cause: error });
    }
  }

  reachable(): boolean {
    return this.#isReachable === true;
  }

  everReached(): boolean {
    return this.#schema === "up to date";
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#checking;
    await this.#prisma.$disconnect();
  }

  async #untilMigrated(): Promise<void> {
    if (this.everReached()) return;
    const patience = sleep(MIGRATED_WITHIN_MS, undefined, { ref: false });
    await Promise.race([this.#checkAgain(), patience]);
    if (this.everReached()) return;
    const isMigrating = this.#schema === "being migrated";
    const why = isMigrating ? "the database is being migrated" : "cannot be reached";
    throw new HistoryUnavailable(`${this.#where}: ${why}`);
  }

  #checkAgain(): Promise<void> {
    return (this.#checking ??= this.#check().finally(() => (this.#checking = undefined)));
  }

  async #check(): Promise<void> {
    try {
      await this.#prisma.$queryRaw`SELECT 1`;
      if (this.#schema !== "up to date") await this.#migrate();
      this.#note(true);
    } catch (error) {
      if (!this.#isClosed) this.#note(false, reasonOf(error));
    }
  }

  async #migrate(): Promise<void> {
    this.#schema = "being migrated";
    try {
      const applied = await migrate(this.#options.url);
      if (applied.length > 0) this.#options.log.info({ applied }, "database migrated");
      this.#schema = "up to date";
    } catch (error) {
      this.#schema = "unknown";
      throw error;
    }
  }

  #note(isReachable: boolean, reason = ""): void {
    if (this.#isReachable === isReachable) return;
    this.#isReachable = isReachable;
    const { log } = this.#options;
    const postgres = this.#where;
    if (isReachable) log.info({ postgres }, "PostgreSQL is reached");
    else log.error({ postgres, reason }, "PostgreSQL cannot be reached, keeps trying");
  }
}

function openPrisma(url: string): PrismaClient {
  const adapter = new PrismaPg({
    connectionString: url,
    connectionTimeoutMillis: 3_000,
    query_timeout: 30_000,
    keepAlive: true,
    max: MAX_CONNECTIONS,
  });
  return new PrismaClient({ adapter });
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

/** "Raw query failed. Code: `N/A`. Message: `Can't reach database server at 127.0.0.1:5432`" */
const RAW_QUERY_FAILED = /^Raw query failed\. Code: `[^`]*`\. Message: `(.+)`$/;
/** Callers name the server. */
const NOT_REACHED = /^Can't reach database server at /;

/** Prisma explains at length; the reason is its last line. */
function reasonOf(error: unknown): string {
  const { code, message: said } = answerOf(error) ?? {};
  if (code === QUERY_CANCELED) return "the answer takes too long, ask for a shorter period";
  if (said !== undefined) return said;
  const text = nameMissingPassword(error instanceof Error ? error.message : String(error));
  const last = text.trim().split("\n").at(-1) ?? text;
  const reason = RAW_QUERY_FAILED.exec(last)?.[1] ?? last;
  return NOT_REACHED.test(reason) ? "cannot be reached" : reason;
}
