/** `fleetban jail` on a real NATS, a real PostgreSQL, a coordinator and an agent. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Reply } from "../../services/wire/api.ts";
import { startCentre, type Centre } from "../harness/centre.ts";
import { startTestServers, type TestNats, type TestPostgres } from "../harness/servers.ts";

const JAILS = `jails:
  dovecot: { maxretry: 5, users: 3, decoys: [oracle], minhosts: 2, quorum: local-first }
  watched: { shadow: true, bantime: -1, ports: all }
  recidive: { source: bans, maxretry: 3 }`;

let folder: string;
let nats: TestNats;
let postgres: TestPostgres;
let centre: Centre;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-jails-"));
  [nats, postgres] = await startTestServers();
  const databaseUrl = await postgres.createDatabase();
  centre = await startCentre({ folder, natsUrl: nats.url, databaseUrl, coordinatorYaml: JAILS });
});

after(async () => {
  await centre[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function ask<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await centre.cli(...args, "--json");
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as T;
}

test("jail list shows every jail that is in use, each option in a sentence", async () => {
  const { stdout } = await centre.cli("jail", "list");
  const lines = stdout.trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => line.slice(0, 8).trim()),
    ["dovecot", "", "", "", "recidive", "watched", ""],
  );
  assert.match(lines[0] ?? "", /^dovecot +5 failures within 20m .*banned, for 20m, ports 110, 995/);
  assert.match(stdout, /tries 3 user names is banned before maxretry/);
  assert.match(stdout, /tries one of 1 decoy name is banned at once/);
  assert.match(stdout, /until 2 hosts have seen some/);
  assert.match(stdout, /recidive +3 bans in other jails within 1d: banned, for 7d, all ports/);
  assert.match(stdout, /shadow mode: bans are shown and recorded, and never in force/);
  const { jails, total } = await ask<Reply<"jail.list">>("jail", "list");
  assert.deepEqual([total, jails.map(({ jail }) => jail.maxretry)], [3, [5, 3, 5]]);
});

test("jail show shows a jail's numbers and bans, and names the jails where there is no such one", async () => {
  await ask("ban", "add", "198.51.100.9", "--jail", "watched");
  const { stdout } = await centre.cli("jail", "show", "watched");
  assert.match(stdout, /maxretry +5\nfindtime +20m\nbantime +for ever\nports +all\nbans +1 ban in/);
  assert.match(stdout, /answered by +c1/);
  const { code, stderr } = await centre.cli("jail", "show", "postfix");
  assert.deepEqual([code, /no such jail, expected dovecot, watched/.test(stderr)], [1, true]);
  assert.equal((await centre.cli("jail", "show", "a jail")).code, 64);
});
