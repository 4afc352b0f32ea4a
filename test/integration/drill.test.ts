/** `fleetban drill` where no mail server listens: the agent writes the line itself. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isOfDrill } from "../../services/wire/drill.ts";
import type { Reply } from "../../services/wire/api.ts";
import { startCentre, type Centre } from "../harness/centre.ts";
import { eventually } from "../harness/eventually.ts";
import { startTestServers, type TestNats, type TestPostgres } from "../harness/servers.ts";

/** Nothing listens on these ports, which are neither IMAP's nor POP3's. */
const COORDINATOR = `jails:
  dovecot: { ports: [4190], maxretry: 7 }
  shared: { minhosts: 3, ports: [4190] }
notify:
  whois: { ask: false }
  sinks: [{ name: program, type: exec, command: [/bin/true] }]`;

let folder: string;
let nats: TestNats;
let postgres: TestPostgres;
let centre: Centre;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-drill-"));
  [nats, postgres] = await startTestServers();
  const databaseUrl = await postgres.createDatabase();
  centre = await startCentre({
    ...{ folder, natsUrl: nats.url, databaseUrl, coordinatorYaml: COORDINATOR },
    sourcesYaml: `, { name: other, jail: shared, path: ${join(folder, "other.log")} }`,
  });
  await writeFile(join(folder, "other.log"), "");
  await centre.fail("198.51.100.1", 1); // now there is a log
  await eventually("the log is read", async () => (await centre.status()).failures > 0);
});

after(async () => {
  await centre[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function drill(...args: string[]) {
  const { code, stdout, stderr } = await centre.cli("drill", ...args, "--json");
  assert.match(stdout, /^\{/, stderr);
  return { code, ...(JSON.parse(stdout) as Reply<"host.drill">) };
}

test("a drill shows each step, bans a reserved address for a moment, and tells no sink", async () => {
  const { code, steps, address, user, reason } = await drill("mx1");
  assert.deepEqual(
    steps.map(({ step }) => step),
    ["attempted", "read", "counted", "decided", "in force", "lifted"],
  );
  assert.match(steps[0]?.text ?? "", /^a line appended to .*mail\.log/);
  assert.equal(steps[3]?.text, "7 failures on 1 host within 1s");
  const times = steps.flatMap(({ ms }) => ms ?? []);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  // The host of this test bans nobody.
  assert.deepEqual([code, reason?.includes("1 dry-run")], [1, true]);
  assert.ok(isOfDrill(address));
  assert.equal(await centre.isBanned(address), false);
  const failed = await eventually("the failure is on record", async () => {
    const { stdout } = await centre.cli("failure", "list", "--user", user, "--json");
    return (JSON.parse(stdout) as Reply<"failure.list">).failures[0];
  });
  assert.equal(failed.attempts, 7);
  const listed = JSON.parse(
    (await centre.cli("notify", "list", "--json")).stdout,
  ) as Reply<"notify.list">;
  assert.equal(listed.sinks[0]?.sent, 0);
  const audit = await eventually("the drill is on record", async () => {
    const { stdout } = await centre.cli("audit", "list", "--json");
    return (JSON.parse(stdout) as Reply<"audit.list">).audit.find(
      ({ action }) => action === "drill",
    );
  });
  assert.equal(audit.detail, "mx1");
});

test("a jail that needs more hosts counts the drill, and decides nothing", async () => {
  const { code, steps, reason } = await drill("mx1", "--jail", "shared");
  assert.deepEqual([code, steps.at(-1)?.step], [1, "counted"]);
  assert.match(reason ?? "", /^jail shared bans when 3 hosts have seen failures/);
});

test("a host or a jail that is not there is named", async () => {
  const nobody = await centre.cli("drill", "mx9");
  assert.deepEqual(
    [nobody.code, nobody.stderr],
    [1, "fleetban: mx9: is no host that has reported; see fleetban host list\n"],
  );
  const jail = await centre.cli("drill", "mx1", "--jail", "ssh");
  assert.equal(jail.code, 1);
  assert.match(jail.stderr, /no such jail, expected dovecot, shared/);
});
