import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import { startChild } from "../../services/standalone/child.ts";
import { eventually } from "../harness/eventually.ts";
import { fleetban } from "../harness/fleetban.ts";
import { createWebClient, tokenOf } from "../harness/web-client.ts";

const MAIN = resolve(import.meta.dirname, "../../dist/services/standalone/main.js");
const home = await mkdtemp(join(tmpdir(), "fleetban-home-"));
after(() => rm(home, { recursive: true, force: true }));
/** The firewall of the machine that tests run on stays as it is. */
const environment = { FLEETBAN_HOME: home, FLEETBAN_FIREWALL: "dry-run" };

async function start(others: NodeJS.ProcessEnv = {}) {
  let output = "";
  const child = await startChild(process.execPath, {
    args: [MAIN],
    env: { PATH: process.env["PATH"], HOME: "/nonexistent", ...environment, ...others },
    onOutput: (chunk) => (output += chunk.toString()),
  });
  return { child, output: () => output };
}

const cli = (...args: string[]) => fleetban(args, environment);

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

  const [link = ""] = /http:\/\/127\.0\.0\.1:\d+\/login#[\w-]+/.exec(first.output()) ?? [];
  const client = createWebClient(new URL(link).origin);
  assert.equal((await client.post("login", { token: tokenOf(link) })).status, 200, link);
  assert.equal((await client.post("status.show")).body["bans"], 1);

  const second = await start();
  assert.equal(await second.child.ended, 69);
  assert.match(second.output(), /already runs here/);

  const pids = await childrenOf(first.child.pid);
  assert.equal(pids.length, 4, "nats-server, PostgreSQL, coordinator, agent");
  // As the terminal sends it, and npm once more.
  process.kill(first.child.pid, "SIGINT");
  await first.child.stop("SIGINT");
  assert.equal(await first.child.ended, 0);
  for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });

  const again = await start();
  await eventually("it runs again", () => again.output().includes("Ctrl-C ends it"), 60);
  const { stdout } = await cli("ban", "list");
  assert.match(stdout, /198\.51\.100\.7/);
  await again.child.stop("SIGINT");
});

test("a server that does not answer, or cannot be one, is named", async () => {
  const nowhere = await start({ DATABASE_URL: "nowhere" });
  assert.equal(await nowhere.child.ended, 78);
  assert.match(nowhere.output(), /^fleetban: environment: DATABASE_URL: expected a URL such as /m);
  const away = await start({ NATS_URL: "nats://127.0.0.1:1" });
  await eventually(
    "it says what it waits for",
    () => away.output().includes("coordinator: NATS cannot be reached yet: connection refused"),
    60,
  );
  await away.child.stop("SIGHUP");
  assert.equal(await away.child.ended, 0);
});

test("an agent that is killed ends it, and it says where the log is", async () => {
  const { child, output } = await start();
  await eventually("it says that it runs", () => output().includes("Ctrl-C ends it"), 60);
  const pids = await childrenOf(child.pid);
  const commands = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8")));
  const agent = pids[commands.findIndex((command) => command.includes("agent/main.js"))];
  process.kill(agent!, "SIGKILL");
  assert.equal(await child.ended, 69);
  assert.match(
    output(),
    new RegExp(`^fleetban: fleetban-agent ended with SIGKILL: .*${home}/log$`, "m"),
  );
  assert.doesNotMatch(output(), /"level"/);
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
