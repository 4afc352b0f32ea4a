/**
 * npx tsx prisma/make-migration.ts NAME
 *
 * Writes prisma/migrations/<now>_NAME/migration.sql: what leads from schema.prisma
 * as it was last committed to schema.prisma as it is.
 */
import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startTestPostgres } from "../test/harness/servers.ts";
import { sqlBetween } from "./migrate.ts";

const [name = ""] = process.argv.slice(2);
if (!/^[a-z0-9_]+$/.test(name)) {
  process.stderr.write("make-migration: expected a name such as add_host_zone\n");
  process.exit(64);
}
const migrations = join(import.meta.dirname, "migrations");
const isFirst = !(await readdir(migrations, { withFileTypes: true })).some((e) => e.isDirectory());
const committed = isFirst
  ? undefined
  : execFileSync("git", ["show", "HEAD:./schema.prisma"], {
      cwd: import.meta.dirname,
      encoding: "utf8",
    });
const present = await readFile(join(import.meta.dirname, "schema.prisma"), "utf8");
await using postgres = await startTestPostgres();
const sql = await sqlBetween(await postgres.createDatabase(), committed, present);
const stamp = new Date().toISOString().replace(/\D/g, "").slice(0, 14);
const folder = join(migrations, `${stamp}_${name}`);
await mkdir(folder, { recursive: true });
await writeFile(join(folder, "migration.sql"), sql);
process.stdout.write(`${folder}\n${sql}`);
