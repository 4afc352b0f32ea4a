import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { freePort, startChild } from "../../services/standalone/child.ts";
import { eventually } from "../harness/eventually.ts";
import { startTestNats } from "../harness/servers.ts";

const MAIN = resolve(import.meta.dirname, "../../dist/services/coordinator/main.js");

test("a coordinator that is stopped right after NATS ends in an ordinary way", async () => {
  await using nats = await startTestNats();
  const folder = await mkdtemp(join(tmpdir(), "fleetban-shutdown-"));
  const config = join(folder, "coordinator.yaml");
  await writeFile(config, `http: { listen: "127.0.0.1:${await freePort()}" }\n`);
  let log = "";
  const coordinator = await startChild(process.execPath, {
    args: [MAIN, "run", "--config", config],
    env: {
      ...process.env,
      NATS_URL: nats.url,
      DATABASE_URL: "postgresql://nobody@127.0.0.1:1/none",
    },
    onOutput: (chunk) => (log += chunk.toString()),
  });
  try {
    await eventually("it decides", () => log.includes("lease taken"), 30);
    await nats.stop();
    await coordinator.stop("SIGTERM");
    assert.equal(await coordinator.ended, 0, log);
    assert.doesNotMatch(log, /bug/);
  } finally {
    await coordinator.stop("SIGKILL");
    await rm(folder, { recursive: true });
  }
});
