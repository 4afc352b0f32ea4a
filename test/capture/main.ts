/**
 * npm run capture -- FOLDER [--seed NUMBER [--addresses NUMBER]] [NAME...]
 *
 * Runs real Dovecots, set up in many ways, lets clients log in wrongly, keeps what was logged
 * with what is known to have happened, and says where fleetban counts otherwise. As root.
 * With a seed the clients do what chance says, the same for the same seed.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createNetwork } from "../harness/netns.ts";
import { measureCapture } from "../harness/own-captures.ts";
import { configurations } from "./configurations.ts";
import type { Configuration } from "./configuration.ts";
import { ensureCaptureImage } from "./image.ts";
import { startMachine } from "./machine.ts";
import { actionsOf, truthBehind, truthOf, type Truth } from "./truth.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: "string" }, addresses: { type: "string", default: "40" } },
});
const [folder = "", ...names] = positionals;
const { seed, addresses } = values;
const chance =
  seed === undefined ? undefined : { seed: Number(seed), addresses: Number(addresses) };
mkdirSync(folder, { recursive: true });

for (const configuration of configurations(chance)) {
  const { name } = configuration;
  if (names.length > 0 && !names.includes(name)) continue;
  try {
    await capture(configuration);
    for (const log of configuration.isProxy ? [name, `${name}-backend`] : [name]) measure(log);
  } catch (error) {
    process.stderr.write(`${name}: ${String(error)}\n`);
    process.exitCode = 1;
  }
}

function measure(name: string): void {
  const { misses, expected, strangers } = measureCapture(folder, name, "in time");
  process.stdout.write(`${name}: ${expected} attempts, ${strangers} of nobody\n`);
  for (const miss of misses) process.stdout.write(`  ${miss}\n`);
  if (misses.length > 0 || strangers > 0) process.exitCode = 1;
}

function writeTruth(name: string, rows: readonly Truth[]): void {
  const lines = rows.map((row) => `${JSON.stringify(row)}\n`);
  writeFileSync(join(folder, `${name}.truth.jsonl`), lines.join(""));
}

async function capture(configuration: Configuration): Promise<void> {
  const root = await ensureCaptureImage(configuration.dovecot);
  const network = await createNetwork(["mx1", "clients"]);
  const work = mkdtempSync(join(tmpdir(), "fleetban-capture-"));
  chmodSync(work, 0o755);
  const [host, clients] = [network.host("mx1"), network.host("clients")];
  try {
    const own = new Set(actionsOf(configuration).map(({ address }) => address));
    for (const address of own) await clients.addAddress(address);
    const machine = await startMachine(host, root, work, configuration);
    try {
      const script = join(import.meta.dirname, "client-process.ts");
      const { name } = configuration;
      await clients.run(process.execPath, [
        ...["--import", "tsx", script, name, host.address4, host.address6],
        ...(chance ? [String(chance.seed), String(chance.addresses)] : []),
      ]);
      await new Promise((resolve) => setTimeout(resolve, 4_000)); // PAM writes late
      for (const log of ["mail.log", "auth.log"]) {
        const bytes = machine.read(log);
        if (bytes.length > 0) writeFileSync(join(folder, `${name}.${log}`), bytes);
      }
      writeTruth(name, truthOf(configuration));
      if (configuration.isProxy) {
        writeFileSync(join(folder, `${name}-backend.mail.log`), machine.read("backend.log"));
        writeTruth(`${name}-backend`, truthBehind(configuration));
      }
    } finally {
      await machine.stop();
    }
  } finally {
    await network[Symbol.asyncDispose]();
    rmSync(work, { recursive: true, force: true });
  }
}
