/** What the record says of operators and of held bans, with a real PostgreSQL. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Reply } from "../../services/wire/api.ts";
import { startCentre, type Centre } from "../harness/centre.ts";
import { eventually } from "../harness/eventually.ts";
import { startTestServers, type TestNats, type TestPostgres } from "../harness/servers.ts";

let folder: string;
let nats: TestNats;
let postgres: TestPostgres;
let centre: Centre;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-audit-"));
  [nats, postgres] = await startTestServers();
  const databaseUrl = await postgres.createDatabase();
  const coordinatorYaml = `guard: { perHost: 1 }
allowlist: [no-such-host.invalid, 192.0.2.99]
notify: { sinks: [{ name: hook, type: exec, command: [/bin/true] }] }`;
  centre = await startCentre({ folder, natsUrl: nats.url, databaseUrl, coordinatorYaml });
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

const audited = async (...args: string[]) =>
  (await ask<Reply<"audit.list">>("audit", "list", ...args)).audit;

test("audit list names who has done what to bans, to the allowlist and to hosts", async () => {
  await ask("ban", "add", "198.51.100.1", "--reason", "asked by abuse desk");
  await ask("allow", "add", "192.0.2.10", "--comment", "office");
  await eventually("the entry is on record", async () =>
    (await audited()).some(({ action }) => action === "allow add"),
  );
  await ask("allow", "remove", "192.0.2.10", "--reason", "moved to a “new” house: 7 %");
  await ask("host", "quarantine", "mx1", "--reason", "broken into");
  await eventually("the quarantine is on record", async () =>
    (await audited()).some(({ action }) => action === "host quarantine"),
  );
  await ask("host", "quarantine", "mx1", "--undo");
  await ask("ban", "remove", "198.51.100.1");
  await ask("notify", "resend", "hook");
  const done = await eventually("everything is on record", async () => {
    const rows = await audited();
    return rows.length >= 8 && rows;
  });
  assert.deepEqual(done.map(({ action, detail }) => `${action}: ${detail}`).sort(), [
    "allow add: 192.0.2.10: office",
    "allow add: 192.0.2.99: coordinator's configuration",
    "allow remove: 192.0.2.10: moved to a “new” house: 7 %",
    "ban lifted: 198.51.100.1 in dovecot: by hand",
    "ban: 198.51.100.1 in dovecot: asked by abuse desk",
    "host quarantine --undo: mx1",
    "host quarantine: mx1: broken into",
    "notify resend: hook",
  ]);
  const makers = new Set(done.map(({ by }) => by.replace(/\S+@\S+/, "NAME")));
  assert.deepEqual([...makers].sort(), ["config", "operator NAME (unverified)"]);
  assert.deepEqual(await audited("--by", "nobody"), []);
  assert.equal((await centre.cli("audit", "list", "--since", "1h", "--until", "2h")).code, 64);
});

test("an entry of the allowlist may end by itself; a name without an address is only a warning", async () => {
  const { allowed } = await ask<Reply<"allow.add">>("allow", "add", "192.0.2.20", "--for", "2s");
  assert.ok(allowed.until !== undefined);
  const entries = async () =>
    (await ask<Reply<"allow.list">>("allow", "list")).allowed.map(({ address }) => String(address));
  assert.deepEqual(await entries(), ["192.0.2.99", "192.0.2.20"]);
  await eventually("the entry has ended", async () => (await entries()).length === 1, 30);
  await eventually("its end is on record", async () =>
    (await audited("--all")).some((row) => row.action === "allow remove" && row.by === "decider"),
  );
  const warning = await eventually("the name is a warning", async () =>
    (await centre.status()).warnings.find(({ code }) => code === "allowed-name"),
  );
  assert.match(warning.text, /no-such-host\.invalid of the allowlist: it cannot be looked up/);
});

test("ban why names evidence, rule, offence and why a ban is held", async () => {
  await centre.fail("203.0.113.1", 5);
  await eventually("the first is banned", () => centre.isBanned("203.0.113.1"));
  await centre.fail("203.0.113.2", 5);
  const why = await eventually("the second is held", async () => {
    const { stdout } = await centre.cli("ban", "why", "203.0.113.2");
    return /held, would be banned/.test(stdout) && /by form/.test(stdout) && stdout;
  });
  assert.match(why, /because +5 failures on 1 host/);
  assert.match(why, /rule +jail dovecot as it is now: 5 failures within 20m on all hosts together/);
  assert.match(why, /offence +number 1/);
  assert.match(why, /evidence +mx1 5/);
  assert.match(why, /held +host mx1 has caused more than 1 bans? within a minute/);
  assert.match(why, /allowlist +no/);
  assert.match(why, /machine of the fleet +no/);
  const first = await centre.cli("ban", "why", "203.0.113.1");
  assert.match(first.stdout, /in force +|by user +/);
  const automatic = await audited("--all", "--by", "decider");
  assert.ok(automatic.some(({ action }) => action === "ban held"));
});

test("held bans survive the loss of NATS's storage as held bans", async () => {
  await eventually("the record has them", async () =>
    (await audited("--all")).some(({ detail }) => detail.startsWith("203.0.113.2 ")),
  );
  await nats.stop();
  await nats.wipe();
  await centre.coordinator.stop();
  await nats.start();
  await centre.coordinator.start();
  const held = await eventually(
    "the bans are back",
    async () => {
      const { code, stdout } = await centre.cli("ban", "list", "--held", "--json");
      const { bans } = code === 0 ? (JSON.parse(stdout) as Reply<"ban.list">) : { bans: [] };
      return bans.length > 0 && bans;
    },
    60,
  );
  assert.deepEqual(
    held.map(({ address }) => String(address)),
    ["203.0.113.2"],
  );
  assert.equal(await centre.isBanned("203.0.113.2"), false);
  assert.equal(await centre.isBanned("203.0.113.1"), true);
});
