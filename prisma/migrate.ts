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

async function startEngine(databaseUrl: string): Promise<engine.SchemaEngine> {
  const require = createRequire(import.meta.url);
  const wasm = require
    .resolve("@prisma/schema-engine-wasm")
    .replace("schema_engine.js", "schema_engine_bg.wasm");
  const { instance } = await WebAssembly.instantiate(readFileSync(wasm), {
    "./schema_engine_bg.js": engine,
  });
  engine.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  const folder = findFolder();
  const schema = readFileSync(join(folder, "schema.prisma"), "utf8");
  return engine.SchemaEngine.new(
    { datamodels: [["schema.prisma", schema]] },
    () => {},
    bindMigrationAwareSqlAdapterFactory(new PrismaPg({ connectionString: databaseUrl })),
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
  const started = await startEngine(databaseUrl);
  const { appliedMigrationNames } = await started.applyMigrations({
    migrationsList: readMigrations(),
    filters: FILTERS,
  });
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
  const started = await startEngine(databaseUrl);
  const { stdout } = await started.diff({
    from: before === undefined ? { tag: "empty" } : modelOf(before),
    to: modelOf(after),
    script: true,
    exitCode: null,
    filters: FILTERS,
  });
  return stdout ?? "";
}

function modelOf(content: string): engine.DiffTarget {
  return { tag: "schemaDatamodel", files: [{ path: "schema.prisma", content }] };
}
