/**
 * Migrations without a download: Prisma's schema engine as WebAssembly, from npm.
 * It keeps the same `_prisma_migrations` table as `prisma migrate deploy`.
 */
import { PrismaPg } from "@prisma/adapter-pg";
import { bindMigrationAwareSqlAdapterFactory } from "@prisma/driver-adapter-utils";
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
  work: (started: engine.SchemaEngine) => Promise<T>,
): Promise<T> {
  const pool = new pg.Pool({ connectionString: databaseUrl, connectionTimeoutMillis: 5_000 });
  pool.on("error", () => {}); // the query that is under way fails, and says why
  try {
    return await work(await startEngine(pool, files));
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
    bindMigrationAwareSqlAdapterFactory(new PrismaPg(pool)),
  );
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
  const { appliedMigrationNames } = await withEngine(databaseUrl, files, (started) =>
    started.applyMigrations({ migrationsList, filters: FILTERS }),
  );
  return appliedMigrationNames;
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
