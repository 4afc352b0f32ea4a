/**
 * A PostgreSQL for a test. initdb takes a second of the processor: one cluster is made in a run of
 * `npm test`, and every other one is a copy of it.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort, type Child } from "../../services/standalone/child.ts";
import { startPostgres, type PostgresOptions } from "../../services/standalone/postgres.ts";

export const PASSWORD = "test";

/** A killed process loses nothing without fsync; only a crashed machine would. */
const FAST = { password: PASSWORD, settings: { fsync: "off" } };

export async function startTestCluster(options: Omit<PostgresOptions, "password">): Promise<Child> {
  // Folder of this run of `npm test`; undefined: somebody runs one file.
  const scratch = process.env["FLEETBAN_TEST_SCRATCH"];
  if (scratch !== undefined && !existsSync(join(options.folder, "cluster"))) {
    await copyCluster(join(scratch, "postgres"), options.folder);
  }
  const settings = { ...FAST.settings, ...options.settings };
  return startPostgres({ ...options, ...FAST, settings });
}

async function copyCluster(template: string, folder: string): Promise<void> {
  if (!existsSync(template)) await makeCluster(template);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await promisify(execFile)("cp", ["-a", join(template, "cluster"), folder]);
}

async function makeCluster(template: string): Promise<void> {
  const draft = await mkdtemp(`${template}-`);
  const server = await startPostgres({ ...FAST, folder: draft, port: await freePort() });
  await server.stop("SIGINT"); // in order: the copies have nothing to recover
  try {
    await rename(draft, template);
  } catch (error) {
    if (!existsSync(template)) throw error;
    await rm(draft, { recursive: true }); // another test was quicker
  }
}
