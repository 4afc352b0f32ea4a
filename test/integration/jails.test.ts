/** `fleetban jail` on a real NATS, a real PostgreSQL, a coordinator and an agent. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import type { Reply } from "../../services/wire/api.ts";
import type { Jail } from "../../services/wire/settings.ts";
import { freePort, startChild } from "../../services/standalone/child.ts";
import { startCentre, type Centre } from "../harness/centre.ts";
import { eventually } from "../harness/eventually.ts";
import { restartable } from "../harness/restartable.ts";
import { startTestServers, type TestNats, type TestPostgres } from "../harness/servers.ts";

const JAILS = `jails:
  dovecot: { maxretry: 5 }
  watched: { users: 3, decoys: [oracle], minhosts: 2, shadow: true, bantime: -1, ports: all }
  recidive: { source: bans, maxretry: 3 }`;

let folder: string;
let nats: TestNats;
let postgres: TestPostgres;
let centre: Centre;
let databaseUrl: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-jails-"));
  [nats, postgres] = await startTestServers();
  databaseUrl = await postgres.createDatabase();
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

const file = () => join(folder, "coordinator.yaml");

/** Writes into coordinator.yaml what stands there now, with `found` replaced. */
async function edit(found: string, replacement: string, path = file()): Promise<void> {
  const text = await readFile(path, "utf8");
  assert.ok(text.includes(found), text);
  await writeFile(path, text.replace(found, replacement));
}

const counted = async () => (await centre.status()).failures;
const refusals = async () =>
  (await centre.status()).warnings.filter(({ code }) => code === "policy-refused");
/** Asks more often than it takes until each of two coordinators has answered, and not for ever. */
const QUESTIONS = 40;
/** Does each of two coordinators say that these have refused their files, and no others? */
const refusedBy =
  (...names: string[]) =>
  async () => {
    const answered = new Map<string, boolean>();
    for (let asked = 0; answered.size < 2 && asked < QUESTIONS; asked += 1) {
      const { coordinator, warnings } = await centre.status();
      const refused = warnings.filter(({ code }) => code === "policy-refused");
      const found = refused.map(({ subject }) => subject);
      answered.set(coordinator, found.join() === names.join());
    }
    return answered.size === 2 && [...answered.values()].every(Boolean);
  };
/** Has each of two coordinators this maxretry in place of what its own file says? */
const setInBoth = (value: string, inFiles: readonly string[]) => async () => {
  const answered = new Map<string, string>();
  for (let asked = 0; answered.size < 2 && asked < QUESTIONS; asked += 1) {
    const { code, stdout } = await centre.cli("jail", "show", "dovecot", "--json");
    if (code !== 0) return false;
    const { coordinator, jail, settings = [] } = JSON.parse(stdout) as Reply<"jail.show">;
    if (String(jail.maxretry) !== value) return false;
    answered.set(coordinator, settings[0]?.inFile ?? "");
  }
  return [...answered.values()].sort().join() === inFiles.join();
};
const policyVersion = async () =>
  (await ask<Reply<"jail.list">>("jail", "list")).policyVersion ?? "";
const maxretryOf = async (name: string) =>
  (await ask<Reply<"jail.show">>("jail", "show", name)).jail.maxretry;

test("jail list shows every jail that is in use, each option in a sentence", async () => {
  const { stdout } = await centre.cli("jail", "list");
  const lines = stdout.trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => line.slice(0, 8).trim()),
    ["dovecot", "recidive", "watched", "", "", "", ""],
  );
  assert.match(
    lines[0] ?? "",
    /^dovecot +5 failures within 20m .*bring a ban for 20m, on ports 110, 995/,
  );
  assert.match(stdout, /tries 3 user names is banned before maxretry/);
  assert.match(stdout, /tries the decoy name is banned at once/);
  assert.match(stdout, /nobody is banned before 2 hosts have seen failures/);
  assert.match(
    stdout,
    /recidive +3 bans in other jails within 1d bring a ban for 7d, on all ports/,
  );
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

test("jail reload keeps what is counted, and counts it by the new numbers", async () => {
  const policyBefore = await policyVersion();
  await centre.fail("198.51.100.31", 3);
  await centre.fail("198.51.100.32", 2);
  await eventually("five failures are counted", async () => (await counted()) === 5);
  await edit("dovecot: { maxretry: 5 }", "dovecot: { maxretry: 3, findtime: 2h }");
  const { code, stdout, stderr } = await centre.cli("jail", "reload");
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "jail dovecot is changed\nc1: the new policy is in use\n");
  const policyNow = await policyVersion();
  assert.notEqual(policyNow, policyBefore);
  assert.equal(await counted(), 5);
  await eventually("who has failed often enough is banned", () => centre.isBanned("198.51.100.31"));
  assert.equal(await centre.isBanned("198.51.100.32"), false);
  await centre.fail("198.51.100.32", 1);
  await eventually("the third failure bans", () => centre.isBanned("198.51.100.32"));
  const { bans } = await ask<Reply<"ban.list">>("ban", "list", "--address", "198.51.100.32");
  assert.deepEqual(bans[0]?.evidence, [{ host: "mx1", failures: 3 }]);
  const jails = await eventually("the reload is on record", async () => {
    const { audit } = await ask<Reply<"audit.list">>("audit", "list");
    return audit.find(({ action }) => action === "jail reload");
  });
  assert.match(jails.by, /^operator /);
  assert.equal(jails.detail, `c1: jail dovecot is changed (policy version ${policyNow})`);
  const { stdout: why } = await centre.cli("ban", "why", "198.51.100.31");
  assert.match(why, new RegExp(`policy +version ${policyNow}`));

  const { stdout: tried } = await centre.cli("simulate", join(folder, "mail.log"));
  assert.match(
    tried,
    /^today \(jail dovecot\): 3 within 2h, for 20m, recidive, all hosts together +2 /m,
  );

  const undo = ["ban", "remove", "--policy-version"];
  const preview = await ask<Reply<"ban.lift">>(...undo, policyNow, "--dry-run");
  assert.deepEqual(
    [preview.matched, preview.byPolicyVersion],
    [2, [{ name: policyNow, bans: 2 }]],
    "the bans of failures, and not that of an operator",
  );
  assert.equal((await centre.cli(...undo, policyBefore, "--yes")).code, 1);
  assert.equal((await centre.cli(...undo, "latest", "--yes")).code, 64);
  assert.equal((await ask<Reply<"ban.lift">>(...undo, policyNow, "--yes")).changed, 2);
  assert.equal(await centre.isBanned("198.51.100.31"), false);
});

test("a faulty file is refused with all its faults, and the policy in use stays", async () => {
  await edit("maxretry: 3, findtime: 2h", "maxretry: 0, findtim: 2h");
  const { code, stderr, stdout } = await centre.cli("jail", "reload");
  assert.deepEqual([code, stdout], [78, ""]);
  assert.match(stderr, /jails.dovecot.maxretry: expected at least 1, got 0/);
  assert.match(stderr, /jails.dovecot.findtim: there is no such option/);
  assert.equal(await maxretryOf("dovecot"), 3);
  const [warning] = await refusals();
  assert.match(warning?.text ?? "", /^coordinator c1 has refused its changed coordinator.yaml/);

  await edit("maxretry: 0, findtim: 2h", "maxretry: 4");
  process.kill(centre.coordinator.child().pid, "SIGHUP");
  await eventually("SIGHUP brings the corrected policy into use", async () => {
    return (await maxretryOf("dovecot")) === 4;
  });
  assert.deepEqual(await refusals(), []);
  await rename(file(), `${file()}.away`);
  assert.equal((await centre.cli("jail", "reload")).code, 78);
  assert.equal(await maxretryOf("dovecot"), 4);
  await rename(`${file()}.away`, file());
});

test("jail set is in place of the file until its end, is refused where the file would be, and is audited", async () => {
  const shown = () => ask<Reply<"jail.show">>("jail", "show", "dovecot");
  const { code, stdout, stderr } = await centre.cli("jail", "set", "dovecot", "maxretry", "2");
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /^dovecot: maxretry 2, set by operator \S+ \(unverified\); coordinator\.yaml says 4\n$/,
  );
  assert.equal(await maxretryOf("dovecot"), 2);
  await centre.fail("198.51.100.51", 2);
  await eventually("the second failure bans", () => centre.isBanned("198.51.100.51"));
  await eventually("the agent has it", async () => {
    const jails = await readFile(join(folder, "state", "jails.json"), "utf8").catch(() => "[]");
    return (JSON.parse(jails) as Jail[]).some(({ maxretry }) => maxretry === 2);
  });

  for (const [option, value, sentence] of [
    ["maxretry", "0", "jails.dovecot.maxretry: expected at least 1, got 0"],
    ["findtim", "1h", "jails.dovecot.findtim: there is no such option; did you mean findtime?"],
    ["users", "9", "jails.dovecot.users: expected less than maxretry, which is 2, got 9"],
  ] as const) {
    const refused = await centre.cli("jail", "set", "dovecot", option, value, "--for", "1h");
    assert.deepEqual([refused.code, refused.stdout], [64, ""]);
    assert.equal(refused.stderr, `fleetban: jail set: ${sentence}\n`);
  }
  assert.equal((await centre.cli("jail", "set", "nosuch", "maxretry", "3")).code, 1);
  assert.equal((await shown()).settings?.length, 1);

  const audited = async () => {
    const { audit } = await ask<Reply<"audit.list">>("audit", "list", "--all");
    const rows = audit.filter(({ action }) => /^jail (?:un)?set$/.test(action));
    const words = rows.map(({ by, action, detail }) =>
      [by.split(" ")[0], action, detail.split(" until ")[0]].join(" "),
    );
    return [...new Set(words)];
  };
  await eventually("it is on record", async () =>
    (await audited()).includes("operator jail set dovecot: maxretry 2"),
  );

  // It outlasts a restart, and a changed file.
  await edit("maxretry: 4", "maxretry: 6");
  await centre.coordinator.stop();
  await centre.coordinator.start();
  await eventually("it still stands", async () => {
    return /^maxretry +2$/m.test((await centre.cli("jail", "show", "dovecot")).stdout);
  });
  const [setting] = (await shown()).settings ?? [];
  assert.deepEqual([setting?.setting.value, setting?.inFile], ["2", "6"]);

  await ask("jail", "set", "dovecot", "maxretry", "3", "--for", "1h");
  await eventually("the other value is on record", async () =>
    (await audited()).includes("operator jail set dovecot: maxretry 3"),
  );
  await ask("jail", "set", "dovecot", "maxretry", "3", "--for", "2s");
  await eventually("it ends by itself", async () => (await maxretryOf("dovecot")) === 6);
  assert.equal((await shown()).settings, undefined);
  await eventually("its end is on record", async () =>
    (await audited()).includes("decider jail unset dovecot: maxretry"),
  );
  assert.deepEqual(await audited(), [
    "decider jail unset dovecot: maxretry",
    "operator jail set dovecot: maxretry 3",
    "operator jail set dovecot: maxretry 2",
  ]);

  await ask("jail", "set", "dovecot", "bantime", "-1");
  await ask("jail", "set", "dovecot", "ports", "[143]");
  assert.match((await centre.cli("jail", "list")).stdout, /ports \[143\], set by .* says 110, 995/);
  const unset = await ask<Reply<"jail.unset">>("jail", "unset", "dovecot");
  assert.deepEqual(unset.settings.map(({ option }) => option).sort(), ["bantime", "ports"]);
  assert.equal((await shown()).jail.bantime, 1200);
  assert.equal((await centre.cli("jail", "unset", "dovecot")).code, 1);
});

test("a paused jail bans nobody new, and bans in force stay; status warns until it is resumed", async () => {
  const paused = async () =>
    (await centre.status()).warnings.filter(({ code }) => code === "jail-paused");
  await ask("ban", "add", "198.51.100.61");
  const { code, stdout } = await centre.cli("jail", "pause", "dovecot", "--reason", "migration");
  assert.equal(code, 0);
  assert.match(stdout, /^dovecot is paused by operator .* \(migration\): it bans nobody new\n$/);
  const [warning] = await paused();
  assert.match(
    warning?.text ?? "",
    /^jail dovecot is paused since .* fleetban jail resume dovecot/,
  );
  assert.match((await centre.cli("jail", "show", "dovecot")).stdout, /paused by .*migration/);
  await centre.fail("198.51.100.62", 6);
  await eventually("NATS has stored these failures", async () => {
    const query = ["failure", "list", "--address", "198.51.100.62"];
    return (await ask<Reply<"failure.list">>(...query)).failures.length === 6;
  });
  await ask("jail", "resume", "dovecot");
  assert.deepEqual(await paused(), []);
  assert.equal((await centre.cli("jail", "resume", "dovecot")).code, 1);
  await centre.fail("198.51.100.62", 5);
  await centre.fail("198.51.100.63", 6);
  await eventually("failures count again", () => centre.isBanned("198.51.100.63"));
  assert.equal(await centre.isBanned("198.51.100.62"), false);
  assert.equal(await centre.isBanned("198.51.100.61"), true);

  await ask("jail", "pause", "dovecot", "--for", "1s");
  await eventually("a pause ends by itself", async () => (await paused()).length === 0);
});

test("what operators have set of jails survives the loss of NATS's storage", async () => {
  await ask("jail", "set", "watched", "maxretry", "7", "--for", "2h");
  await ask("jail", "pause", "recidive", "--reason", "too eager");
  await eventually("it is on record", async () => {
    const { stdout } = await centre.cli("audit", "list");
    return /jail pause +recidive: too eager/.test(stdout) && stdout.includes("watched: maxretry 7");
  });
  await centre.coordinator.stop();
  await nats.stop();
  await nats.wipe();
  await nats.start();
  await centre.coordinator.start();
  await eventually("it is there again", async () => {
    const { stdout } = await centre.cli("jail", "list");
    return /maxretry 7, set by .*says 5/.test(stdout) && /paused by .*too eager/.test(stdout);
  });
  await ask("jail", "unset", "watched");
  await ask("jail", "resume", "recidive");
});

test("every coordinator reads the file of its own machine, whichever one is asked", async () => {
  const config = join(folder, "second.yaml");
  const http = `http: { listen: "127.0.0.1:${await freePort()}" }`;
  await writeFile(config, `id: c2\n${http}\njails: { dovecot: { maxretry: 7 } }\n`);
  const main = resolve(import.meta.dirname, "../../dist/services/coordinator/main.js");
  const env = { PATH: process.env["PATH"], NATS_URL: nats.url, DATABASE_URL: databaseUrl };
  const second = await restartable((onOutput) =>
    startChild(process.execPath, { args: [main, "run", "--config", config], env, onOutput }),
  );
  try {
    const isReady = () => second.log().includes("coordinator is ready");
    await eventually("the second coordinator is ready", isReady, 40);
    await ask("jail", "set", "dovecot", "maxretry", "2");
    await eventually("each of them applies what is set", setInBoth("2", ["6", "7"]));
    await centre.coordinator.stop();
    await centre.fail("198.51.100.71", 2);
    await eventually("so does the one that takes over", () => centre.isBanned("198.51.100.71"), 40);
    await centre.coordinator.start();
    await eventually("and the one that comes back", setInBoth("2", ["6", "7"]), 40);
    await ask("jail", "unset", "dovecot", "maxretry");
    const before = [centre.coordinator.log().length, second.log().length] as const;
    await edit("maxretry: 6", "maxretry: 5");
    await edit("maxretry: 7", "maxretry: 8", config);
    await edit("id: c2", "id: c2\nlog: { level: warn }", config);
    const { coordinator } = await ask<Reply<"jail.reload">>("jail", "reload");
    assert.ok(["c1", "c2"].includes(coordinator));
    for (const log of [
      () => centre.coordinator.log().slice(before[0]),
      () => second.log().slice(before[1]),
    ]) {
      await eventually("it has its new policy", () => log().includes("the new policy is in use"));
    }
    assert.match(second.log(), /"needRestart":\["log"\]/);

    await edit("maxretry: 8", "maxretry: 0", config);
    await centre.cli("jail", "reload");
    await eventually("each of the two names the one that has refused its file", refusedBy("c2"));
    await edit("maxretry: 0", "maxretry: 8", config);
    await centre.cli("jail", "reload");
    await eventually("nobody warns of it any more", refusedBy());
  } finally {
    await second.stop();
  }
});
