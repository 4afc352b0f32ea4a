import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import { startChild } from "../../services/standalone/child.ts";
import { eventually } from "../harness/eventually.ts";
import { runFleetban } from "../harness/fleetban.ts";

const MAIN = resolve(import.meta.dirname, "../../dist/services/standalone/main.js");
const home = await mkdtemp(join(tmpdir(), "fleetban-home-"));
after(() => rm(home, { recursive: true, force: true }));
/** The firewall of the machine that tests run on stays as it is. */
const environment = { FLEETBAN_HOME: home, FLEETBAN_FIREWALL: "dry-run" };

async function start() {
  let output = "";
  const child = await startChild(process.execPath, {
    args: [MAIN],
    env: { PATH: process.env["PATH"], HOME: "/nonexistent", ...environment },
    onOutput: (chunk) => (output += chunk.toString()),
  });
  return { child, output: () => output };
}

const cli = (...args: string[]) => runFleetban(args, environment);

test("everything on one machine: bans, keeps what it knows, and ends as a whole", async () => {
  const first = await start();
  await eventually("it says that it runs", () => first.output().includes("Ctrl-C ends it"), 60);
  await eventually(
    "its agent has reported",
    async () => (await cli("host", "list")).code === 0,
    30,
  );
  const added = await cli("ban", "add", "198.51.100.7", "--wait");
  assert.match(added.stdout, /^198\.51\.100\.7 is banned in dovecot until /);

  const second = await start();
  assert.equal(await second.child.ended, 69);
  assert.match(second.output(), /already runs here/);

  const pids = await childrenOf(first.child.pid);
  assert.equal(pids.length, 4, "nats-server, PostgreSQL, coordinator, agent");
  await first.child.stop("SIGINT");
  for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });

  const again = await start();
  await eventually("it runs again", () => again.output().includes("Ctrl-C ends it"), 60);
  const { stdout } = await cli("ban", "list");
  assert.match(stdout, /198\.51\.100\.7/);
  await again.child.stop("SIGINT");
});

test("a fault in its configuration ends it, and says which", async () => {
  await writeFile(join(home, "agent.yaml"), "hots: mx1\n");
  const { child, output } = await start();
  assert.equal(await child.ended, 69);
  assert.match(output(), /agent\.yaml: hots: there is no such option/);
});

/** The kernel's list of a process's children. */
async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.trim().split(" ").map(Number);
}
