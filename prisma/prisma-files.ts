import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

export interface PrismaFiles {
  /** schema.prisma. */
  schema: string;
  /** Oldest first. */
  migrations: { name: string; sql: string }[];
  /** The schema engine, as WebAssembly. */
  engine: Uint8Array;
}

/** The files that migrating takes. A bundle has them in itself: see deploy/package/bundle.ts. */
export function readPrismaFiles(): PrismaFiles {
  const folder = findFolder();
  const migrations = join(folder, "migrations");
  const names = readdirSync(migrations, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
  const wasm = createRequire(import.meta.url)
    .resolve("@prisma/schema-engine-wasm")
    .replace("schema_engine.js", "schema_engine_bg.wasm");
  return {
    schema: readFileSync(join(folder, "schema.prisma"), "utf8"),
    migrations: names.map((name) => ({
      name,
      sql: readFileSync(join(migrations, name, "migration.sql"), "utf8"),
    })),
    engine: readFileSync(wasm),
  };
}

/** The folder that holds schema.prisma and migrations/: the package's, whether this runs from dist/ or not. */
function findFolder(): string {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, "prisma");
    if (existsSync(join(candidate, "schema.prisma"))) return candidate;
  }
  throw new Error("prisma/schema.prisma is not there");
}
