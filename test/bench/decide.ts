/**
 * A coordinator that starts on a stream with the failures of 1,000 hosts in it: from the start of
 * its process until every one of them is in its windows, which is what a takeover without
 * a standby takes. There is no PostgreSQL: bans do not wait for it, and recording has its own bench.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { connect } from "@nats-io/transport-node";
import { ensureStreams } from "../../services/coordinator/upkeep/ensure-streams.ts";
import { freePort, startChild } from "../../services/standalone/child.ts";
import { eventually } from "../harness/eventually.ts";
import { startTestNats } from "../harness/servers.ts";
import { storeFailures } from "./failures.ts";
import type { Figure } from "./figure.ts";

const MAIN = resolve(import.meta.dirname, "../../dist/services/coordinator/main.js");
const HOSTS = 1_000;
const FAILURES = 1_000_000;

export async function run(): Promise<Figure[]> {
  const batched = await measure(50);
  const single = await measure(1);
  return [
    { name: "decide", value: batched.rate, unit: "failures/s", hosts: HOSTS },
    { name: "decide, one failure a message", value: single.rate, unit: "failures/s", hosts: HOSTS },
    { name: "takeover with 1,000,000 failures", value: batched.seconds, unit: "s", hosts: HOSTS },
    {
      name: "takeover, one failure a message",
      value: single.seconds,
      unit: "s",
      hosts: HOSTS,
    },
  ];
}

async function measure(batch: number): Promise<{ rate: number; seconds: number }> {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-decide-"));
  const nats = await startTestNats();
  try {
    const connection = await connect({ servers: nats.url });
    await ensureStreams(connection, {
      longestFindtime: 1200,
      replicas: 1,
      failuresMaxBytes: 2 ** 26,
    });
    await storeFailures(connection, { hosts: HOSTS, failures: FAILURES, batch });
    await connection.close();
    const config = join(folder, "coordinator.yaml");
    await writeFile(config, `http: { listen: "127.0.0.1:${await freePort()}" }\n`);
    let log = "";
    const began = performance.now();
    const coordinator = await startChild(process.execPath, {
      args: [MAIN, "run", "--config", config],
      env: {
        ...process.env,
        NATS_URL: nats.url,
        DATABASE_URL: "postgresql://nobody@127.0.0.1:1/none",
      },
      onOutput: (chunk) => (log += chunk.toString()),
    });
    const line = await eventually(
      "all failures are counted",
      () => /\{[^\n]*"failures of the last findtime are counted"\}/.exec(log)?.[0],
      120,
    );
    const seconds = (performance.now() - began) / 1000;
    await coordinator.stop();
    const { ms } = JSON.parse(line) as { ms: number };
    return { rate: (FAILURES * 1000) / ms, seconds };
  } finally {
    await nats[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }
}
