/**
 * How long `fleetban` takes to start, in bare Nodes: the time that `node` takes for an empty file,
 * measured in turns with it. `status` asks a coordinator that answers at once; with credentials it
 * does so as operators do, over TLS.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { startCentre } from "../harness/centre.ts";
import { eventually } from "../harness/eventually.ts";
import { startSecuredFleet } from "../harness/secured-fleet.ts";
import { cliOf, startSecuredCoordinator } from "../harness/secured-programs.ts";
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
    await using fleet = await startSecuredFleet();
    const creds = await fleet.credentials("coordinator", "centre");
    await using coordinator = await startSecuredCoordinator(fleet, "centre", { creds });
    const operator = await fleet.credentials("operator", "alice");
    const ask = cliOf(fleet, operator);
    await eventually("a status", async () => (await ask("status")).code === 0);

    const bare = { PATH: process.env["PATH"], HOME: folder };
    const open = { ...bare, NATS_URL: nats.url };
    const secured = {
      ...{ ...bare, HOME: coordinator.folder, NATS_URL: fleet.url },
      ...{ FLEETBAN_NATS_CA: fleet.ca, FLEETBAN_NATS_CREDS: operator },
    };
    const timeOf = (args: readonly string[], env: NodeJS.ProcessEnv): number => {
      const began = performance.now();
      const { status, stderr } = spawnSync(process.execPath, args, { cwd: folder, env });
      if (status !== 0)
        throw new Error(`node ${args.join(" ")}: exit ${status}: ${String(stderr)}`);
      return performance.now() - began;
    };
    const start = (name: string, args: readonly string[], env: NodeJS.ProcessEnv) => {
      return { name, args, env, times: new Array<number>() };
    };
    const nothing = start("nothing", [empty], bare);
    const starts = [
      start("version", [PROGRAM, "--version"], open),
      start("status", [PROGRAM, "status"], open),
      start("status with credentials", [PROGRAM, "status"], secured),
    ];
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const { args, env, times } of [nothing, ...starts]) times.push(timeOf(args, env));
    }
    const node = percentile(nothing.times, 0.5);
    return starts.map(({ name, times }) => {
      const value = percentile(times, 0.5) / node;
      return {
        ...{ name: `cli-start ${name}`, value, unit: "bare nodes" },
        beside: { "a bare node, ms": node },
      };
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
