/**
 * Migrations without a download: Prisma's schema engine as WebAssembly, from npm.
 * It keeps the same `_prisma_migrations` table as `prisma migrate deploy`.
 */
import { PrismaPg } from "@prisma/adapter-pg";
import {
  bindMigrationAwareSqlAdapterFactory,
  DriverAdapterError,
} from "@prisma/driver-adapter-utils";
import * as engine from "@prisma/schema-engine-wasm/schema_engine_bg";
import pg from "pg";
import { readPrismaFiles, type PrismaFiles } from "./prisma-files.ts";

/** What we use of it; TypeScript declares it for browsers only. */
declare const WebAssembly: {
  instantiate(
    wasm: Uint8Array,
    imports: object,
  ): Promise<{ instance: { exports: { __wbindgen_start: () => void } } }>;
};

/** Runs `work` with the engine, and ends its connections: one of them holds a lock on migrating. */
async function withEngine<T>(
  databaseUrl: string,
  files: PrismaFiles,
  work: (started: engine.SchemaEngine, pool: pg.Pool) => Promise<T>,
): Promise<T> {
  const pool = new pg.Pool({ connectionString: databaseUrl, connectionTimeoutMillis: 5_000 });
  pool.on("error", () => {}); // the query that is under way fails, and says why
  try {
    // The engine calls every error of a connection "External error": this one says what it is.
    await pool.query("SELECT 1");
    return await work(await startEngine(pool, files), pool);
  } finally {
    await pool.end();
  }
}

let loaded: Promise<void> | undefined;

/** Once a process: the package's functions all work on one instance. */
async function loadEngine(wasm: Uint8Array): Promise<void> {
  const { instance } = await WebAssembly.instantiate(wasm, { "./schema_engine_bg.js": engine });
  engine.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
}

async function startEngine(
  pool: pg.Pool,
  { engine: wasm, schema }: PrismaFiles,
): Promise<engine.SchemaEngine> {
  await (loaded ??= loadEngine(wasm));
  return engine.SchemaEngine.new(
    { datamodels: [["schema.prisma", schema]] },
    () => {},
    bindMigrationAwareSqlAdapterFactory(new TransactionalPg(pool)),
  );
}

/**
 * Prisma's adapter cuts a migration at every semicolon, and runs the parts one by one on several
 * connections. Here PostgreSQL gets the migration as a whole, which is one transaction: a
 * coordinator that is killed meanwhile leaves the database as it was.
 */
class TransactionalPg extends PrismaPg {
  readonly #pool: pg.Pool;
  constructor(pool: pg.Pool) {
    super(pool);
    this.#pool = pool;
  }
  override async connect(): ReturnType<PrismaPg["connect"]> {
    const executeScript = (script: string) => this.#executeScript(script);
    return Object.assign(await super.connect(), { executeScript });
  }
  async #executeScript(script: string): Promise<void> {
    try {
      await this.#pool.query(script);
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) throw error;
      const { code = "", severity = "", message, detail, hint, column } = error;
      throw new DriverAdapterError({
        ...{ kind: "postgres", code, severity, message, detail, hint, column },
        ...{ originalCode: code, originalMessage: message },
      });
    }
  }
}

const FILTERS = { externalTables: [], externalEnums: [] };

/** All migrations, oldest first, as the engine wants them. */
function migrationList({ migrations }: PrismaFiles): engine.MigrationList {
  return {
    baseDir: "prisma/migrations",
    lockfile: { path: "migration_lock.toml", content: 'provider = "postgresql"\n' },
    shadowDbInitScript: "",
    migrationDirectories: migrations.map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: "migration.sql", content: { tag: "ok", value: sql } },
    })),
  };
}

/** Applies what is missing; returns the names of the migrations that it applied. */
export async function migrate(databaseUrl: string): Promise<string[]> {
  const files = readPrismaFiles();
  const migrationsList = migrationList(files);
  return withEngine(databaseUrl, files, async (started, pool) => {
    await forgetInterrupted(started, pool);
    const applied = await started.applyMigrations({ migrationsList, filters: FILTERS });
    return applied.appliedMigrationNames;
  });
}

/**
 * The engine refuses to go on where a migration was interrupted, because it cannot know what of the
 * migration was done. Here nothing was: a migration is one transaction.
 */
async function forgetInterrupted(started: engine.SchemaEngine, pool: pg.Pool): Promise<void> {
  const { rows: tables } = await pool.query<{ name: string | null }>(
    `SELECT to_regclass('_prisma_migrations') AS name`,
  );
  if (tables[0]?.name == null) return;
  const { rows } = await pool.query<{ name: string }>(
    `SELECT migration_name AS name FROM _prisma_migrations
     WHERE finished_at IS NULL AND rolled_back_at IS NULL`,
  );
  for (const { name: migrationName } of rows) {
    // Waits for the lock on migrating. Throws where another coordinator has finished it meanwhile.
    await started.markMigrationRolledBack({ migrationName }).catch(() => {});
  }
}

/**
 * The SQL that leads from one schema (undefined: nothing) to another. The engine
 * wants a database to talk to, although nothing in it matters.
 */
export async function sqlBetween(
  databaseUrl: string,
  before: string | undefined,
  after: string,
): Promise<string> {
  const { stdout } = await withEngine(databaseUrl, readPrismaFiles(), (started) =>
    started.diff({
      from: before === undefined ? { tag: "empty" } : modelOf(before),
      to: modelOf(after),
      script: true,
      exitCode: null,
      filters: FILTERS,
    }),
  );
  return stdout ?? "";
}

function modelOf(content: string): engine.DiffTarget {
  return { tag: "schemaDatamodel", files: [{ path: "schema.prisma", content }] };
}
