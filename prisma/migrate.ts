/**
 * Migrations without a download: Prisma's schema engine as WebAssembly, from npm.
 * It keeps the same `_prisma_migrations` table as `prisma migrate deploy`.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { PrismaPg } from "@prisma/adapter-pg";
import { bindMigrationAwareSqlAdapterFactory } from "@prisma/driver-adapter-utils";
import * as engine from "@prisma/schema-engine-wasm/schema_engine_bg";
import pg from "pg";

/** What we use of it; TypeScript declares it for browsers only. */
declare const WebAssembly: {
  instantiate(
    wasm: Uint8Array,
    imports: object,
  ): Promise<{ instance: { exports: { __wbindgen_start: () => void } } }>;
};

/** The folder that holds schema.prisma and migrations/: the package's, whether this runs from dist/ or not. */
function findFolder(): string {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, "prisma");
    if (existsSync(join(candidate, "schema.prisma"))) return candidate;
  }
  throw new Error("prisma/schema.prisma is not there");
}

/** Runs `work` with the engine, and ends its connections: one of them holds a lock on migrating. */
async function withEngine<T>(
  databaseUrl: string,
  work: (started: engine.SchemaEngine) => Promise<T>,
): Promise<T> {
  const pool = new pg.Pool({ connectionString: databaseUrl, connectionTimeoutMillis: 5_000 });
  pool.on("error", () => {}); // the query that is under way fails, and says why
  try {
    return await work(await startEngine(pool));
  } finally {
    await pool.end();
  }
}

let loaded: Promise<void> | undefined;

/** Once a process: the package's functions all work on one instance. */
async function loadEngine(): Promise<void> {
  const require = createRequire(import.meta.url);
  const wasm = require
    .resolve("@prisma/schema-engine-wasm")
    .replace("schema_engine.js", "schema_engine_bg.wasm");
  const { instance } = await WebAssembly.instantiate(readFileSync(wasm), {
    "./schema_engine_bg.js": engine,
  });
  engine.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
}

async function startEngine(pool: pg.Pool): Promise<engine.SchemaEngine> {
  await (loaded ??= loadEngine());
  const folder = findFolder();
  const schema = readFileSync(join(folder, "schema.prisma"), "utf8");
  return engine.SchemaEngine.new(
    { datamodels: [["schema.prisma", schema]] },
    () => {},
    bindMigrationAwareSqlAdapterFactory(new PrismaPg(pool)),
  );
}

const FILTERS = { externalTables: [], externalEnums: [] };

/** All migrations, oldest first, as the engine wants them. */
function readMigrations(): engine.MigrationList {
  const folder = join(findFolder(), "migrations");
  const names = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
  return {
    baseDir: folder,
    lockfile: { path: "migration_lock.toml", content: 'provider = "postgresql"\n' },
    shadowDbInitScript: "",
    migrationDirectories: names.map((name) => ({
      path: name,
      migrationFile: {
        path: "migration.sql",
        content: { tag: "ok", value: readFileSync(join(folder, name, "migration.sql"), "utf8") },
      },
    })),
  };
}

/** Applies what is missing; returns the names of the migrations that it applied. */
export async function migrate(databaseUrl: string): Promise<string[]> {
  const migrationsList = readMigrations();
  const { appliedMigrationNames } = await withEngine(databaseUrl, (started) =>
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
  const { stdout } = await withEngine(databaseUrl, (started) =>
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
