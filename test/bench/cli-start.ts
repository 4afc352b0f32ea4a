/**
 * How long `fleetban` takes to start, in bare Nodes: the time that `node` takes for an empty file,
 * measured in turns with it. `status` asks a coordinator that answers at once.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { startCentre } from "../harness/centre.ts";
import { startTestNats, startTestPostgres } from "../harness/servers.ts";
import { percentile, type Figure } from "./figure.ts";

const PROGRAM = resolve(import.meta.dirname, "../../dist/cli/main.cjs");
const ROUNDS = 30;

export async function run(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "fleetban-start-"));
  await using nats = await startTestNats();
  await using postgres = await startTestPostgres();
  const databaseUrl = await postgres.createDatabase();
  try {
    const empty = join(folder, "empty.js");
    writeFileSync(empty, "");
    await using centre = await startCentre({ folder, natsUrl: nats.url, databaseUrl });
    await centre.status();
    const env = { PATH: process.env["PATH"], HOME: folder, NATS_URL: nats.url };
    const timeOf = (args: readonly string[]): number => {
      const began = performance.now();
      const { status, stderr } = spawnSync(process.execPath, args, { cwd: folder, env });
      if (status !== 0)
        throw new Error(`node ${args.join(" ")}: exit ${status}: ${String(stderr)}`);
      return performance.now() - began;
    };
    const times: Record<"bare" | "version" | "status", number[]> = {
      bare: [],
      version: [],
      status: [],
    };
    for (let round = 0; round < ROUNDS; round += 1) {
      times.bare.push(timeOf([empty]));
      times.version.push(timeOf([PROGRAM, "--version"]));
      times.status.push(timeOf([PROGRAM, "status"]));
    }
    const bare = percentile(times.bare, 0.5);
    const beside = { "a bare node, ms": bare };
    return (["version", "status"] as const).map((name) => {
      const value = percentile(times[name], 0.5) / bare;
      return { name: `cli-start ${name}`, value, unit: "bare nodes", beside };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
