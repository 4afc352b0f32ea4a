/**
 * Options of a jail's policy, on a real NATS and PostgreSQL, a coordinator and an agent of dist/:
 * failures of several hosts go in, and the CLI says what was decided, and why.
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { jetstream } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { parseNetwork } from "../../services/wire/address.ts";
import type { Reply } from "../../services/wire/api.ts";
import { encodeFailureBatch } from "../../services/wire/failure.ts";
import { failureSubject } from "../../services/wire/subjects.ts";
import { startCentre, type Centre } from "../harness/centre.ts";
import { eventually } from "../harness/eventually.ts";
import {
  startTestNats,
  startTestPostgres,
  type TestNats,
  type TestPostgres,
} from "../harness/servers.ts";

const PATIENCE_SECONDS = 60;
const POLICY = `
jails:
  dovecot: {}
  domains: { domains: 2 }
  strict: { maxretry: 2, minhosts: 2 }
  local: { maxretry: 2, minhosts: 2, quorum: local-first }
  edge: { maxretry: 2, hosts: ["mx*", "!mx9"] }
  watching: { maxretry: 2, shadow: true }
`;

let folder: string;
let nats: TestNats;
let postgres: TestPostgres;
let centre: Centre;
let connection: NatsConnection;
let position = 0;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-policy-"));
  nats = await startTestNats();
  postgres = await startTestPostgres();
  const databaseUrl = await postgres.createDatabase();
  const natsUrl = nats.url;
  centre = await startCentre({ folder, natsUrl, databaseUrl, coordinatorYaml: POLICY });
  connection = await connect({ servers: natsUrl });
});

after(async () => {
  await connection.close();
  await centre[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Failures of one address, as an agent of `host` publishes them. */
async function report(
  jail: string,
  host: string,
  address: string,
  { attempts = 1, user }: { attempts?: number; user?: string } = {},
): Promise<void> {
  position += 1;
  const failure = { position, address: parseNetwork(address)!, at: Date.now(), attempts, user };
  const batch = { host, jail, source: "mail-log", epoch: "e1", sentAt: Date.now() };
  const range = { from: position - 1, to: position };
  const failures = [{ ...failure, form: "test" }];
  const bytes = encodeFailureBatch({ v: 1, ...batch, ...range, failures });
  await jetstream(connection).publish(failureSubject(jail, host), bytes);
}

const until = <T>(what: string, ask: () => Promise<T>) => eventually(what, ask, PATIENCE_SECONDS);

async function banOf(address: string) {
  const { stdout } = await centre.cli("ban", "list", "--address", address, "--json");
  return (JSON.parse(stdout) as Reply<"ban.list">).bans[0];
}

async function print(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await centre.cli(...args);
  assert.equal(code, 0, stderr);
  return stdout;
}

test("an address that fails for users of two unrelated mail domains is banned, and why says so", async () => {
  const address = "198.51.100.1";
  for (const user of ["bob@x.org", "eve@mail.x.org", "mallory"]) {
    await report("domains", "mx1", address, { user });
  }
  await report("domains", "mx2", "198.51.100.2", { attempts: 5 }); // Everything before is counted.
  await until("the other address is banned", () => banOf("198.51.100.2"));
  assert.equal(await banOf(address), undefined);
  await report("domains", "mx2", address, { user: "bob@x.net" });
  await until("the address is banned", () => banOf(address));
  const why = await print("ban", "why", address);
  assert.match(why, /because +2 mail domains in 4 failures on 2 hosts/);
  assert.match(why, /user names of 2 mail domains that are not related is banned before maxretry/);
});

test("with a quorum no number of failures on one host bans, and one on another does", async () => {
  const address = "198.51.100.3";
  await report("strict", "mx1", address, { attempts: 50 });
  await report("strict", "mx1", "198.51.100.4");
  await report("strict", "mx2", "198.51.100.4");
  await until("the other address is banned", () => banOf("198.51.100.4"));
  assert.equal(await banOf(address), undefined);
  await report("strict", "mx2", address);
  await until("the address is banned", () => banOf(address));
  assert.match(await print("ban", "why", address), /nobody is banned before 2 hosts have seen/);
});

test("a ban of one host is in force there alone, until another host confirms it", async () => {
  const [here, there] = ["198.51.100.5", "198.51.100.6"];
  await report("local", "mx2", there, { attempts: 2 });
  await report("local", "mx1", here, { attempts: 2 });
  await until("both are banned", async () => (await banOf(here)) && (await banOf(there)));
  const shown = await until("it is in force on its host", async () => {
    const text = await print("ban", "show", here);
    return text.includes("1/1 hosts") || text.includes("dry run") ? text : undefined;
  });
  assert.match(shown, /mx1 alone until another host confirms/);
  // mx2 has no agent here, and mx1 does not enforce the ban of mx2.
  assert.match(await print("ban", "show", there), /nowhere that is known/);
  await report("local", "mx1", there);
  await until("it is confirmed", async () => (await banOf(there))?.hosts === undefined);
  assert.match(await print("ban", "why", there), /confirmed by a failure on mx1/);
});

test("of a jail of some hosts only their failures count, and bans hold there", async () => {
  const address = "198.51.100.8";
  for (const host of ["mx9", "imap1"]) await report("edge", host, address, { attempts: 5 });
  await report("edge", "mx1", "198.51.100.9", { attempts: 2 });
  await until("an address of these hosts is banned", () => banOf("198.51.100.9"));
  assert.equal(await banOf(address), undefined);
  const why = await print("ban", "why", "198.51.100.9");
  assert.match(why, /only failures of the hosts mx\*, !mx9 count, and bans hold there/);
});

test("an entry of the allowlist for one jail lifts and spares that jail's bans alone", async () => {
  const address = "198.51.100.40";
  for (const jail of ["edge", "local"]) await print("ban", "add", address, "--jail", jail);
  const added = await print("allow", "add", address, "--jail", "edge", "--comment", "scanner");
  assert.equal(
    added,
    `${address} is on the allowlist of jail edge\n${address} is no longer banned in edge\n`,
  );
  const jailsOf = async () => {
    const { stdout } = await centre.cli("ban", "list", "--address", address, "--json");
    return (JSON.parse(stdout) as Reply<"ban.list">).bans.map(({ jail }) => jail);
  };
  assert.deepEqual(await jailsOf(), ["local"]);
  await report("edge", "mx1", address, { attempts: 2 });
  await report("edge", "mx1", "198.51.100.41", { attempts: 2 });
  await until("another address is banned in that jail", () => banOf("198.51.100.41"));
  const refused = await centre.cli("ban", "add", address, "--jail", "edge");
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /allowlist of jail edge .*fleetban allow remove .* --jail edge/);
  assert.deepEqual(await jailsOf(), ["local"]);
  assert.match(
    await print("ban", "why", address),
    /allowlist +yes in jail edge alone: 198\.51\.100\.40 \(scanner\)/,
  );
  assert.match(await print("allow", "list"), /198\.51\.100\.40 +edge +operator/);

  assert.equal((await centre.cli("allow", "add", address, "--jail", "nosuch")).code, 1);
  const missing = await centre.cli("allow", "remove", address);
  assert.deepEqual([missing.code, / --jail edge removes/.test(missing.stderr)], [1, true]);
  const removed = await print("allow", "remove", address, "--jail", "edge");
  assert.match(removed, /is no longer on the allowlist of jail edge\n.* in edge again/);
  assert.deepEqual((await jailsOf()).sort(), ["edge", "local"]);
  await print("ban", "remove", address);
});

test("an entry of coordinator.yaml may be for one jail, and ends by itself", async () => {
  const [address, brief] = ["198.51.100.45", "198.51.100.46"];
  const file = join(folder, "coordinator.yaml");
  const before = await readFile(file, "utf8");
  const end = new Date(Date.now() + 3_000).toISOString().slice(0, 19);
  await writeFile(
    file,
    `${before}
allowlist:
  - { address: ${address}, jail: edge, label: office, comment: branch }
  - { address: ${brief}, until: "${end}Z" }
`,
  );
  await print("jail", "reload");
  const listed = await until("the entries are published", async () => {
    const text = await print("allow", "list");
    return text.includes(address) && text;
  });
  assert.match(listed, /198\.51\.100\.45 +edge +config .*branch/);
  assert.match(await print("allow", "list", "--label", "office"), /198\.51\.100\.45/);
  for (const jail of ["edge", "dovecot"]) await report(jail, "mx1", address, { attempts: 9 });
  await until("the other jail bans", async () => (await banOf(address))?.jail === "dovecot");
  const why = await print("ban", "why", address);
  assert.match(why, /allowlist +yes in jail edge alone: 198\.51\.100\.45 \(branch\)/);

  await until("the other entry has ended", async () => {
    const text = await print("allow", "list");
    return text.includes(address) && !text.includes(brief);
  });
  await report("dovecot", "mx1", brief, { attempts: 9 });
  await until("its address is banned", () => banOf(brief));
  // A reload does not bring the ended entry back, and one without the entries takes them away.
  await print("jail", "reload");
  assert.doesNotMatch(await print("allow", "list"), new RegExp(brief));
  await writeFile(file, before);
  await print("jail", "reload");
  await until("no entry is left", async () => !(await print("allow", "list")).includes(address));
  await until("what it has spared bans now", async () =>
    (await print("ban", "list", "--address", address)).includes(" edge "),
  );
  for (const each of [address, brief]) await print("ban", "remove", each);
});

test("a jail in shadow mode decides, and no host enforces it; a restart does not change that", async () => {
  const address = "198.51.100.10";
  await report("watching", "mx1", address, { attempts: 2 });
  await until("it is decided", () => banOf(address));
  const { bans } = await centre.status();
  await print("allow", "add", "192.0.2.7", "--label", "office", "--comment", "third floor");
  await print("allow", "add", "192.0.2.7", "--label", "home");
  await print("allow", "add", "192.0.2.7", "--jail", "strict");
  assert.match(await print("allow", "list"), /192\.0\.2\.7 +all .* home +third floor/);
  assert.match(await print("ban", "list"), /198\.51\.100\.10 +watching +shadow, would be banned/);
  await until("it is recorded", async () => (await centre.status()).postgres.lag === 0);
  await until("so are the entries of the allowlist", async () =>
    (await print("audit", "list")).includes("192.0.2.7 in jail strict"),
  );
  // Only PostgreSQL knows any of it then.
  await centre.coordinator.stop();
  await nats.stop();
  await nats.wipe();
  await nats.start();
  await centre.coordinator.start();
  const isBack = async () => {
    const { stdout } = await centre.cli("ban", "list", "--address", address);
    return stdout.includes("shadow, would be banned");
  };
  await until("it is there again", isBack);
  assert.equal((await banOf(address))?.held, "jail watching is in shadow mode");
  await until("all bans are there again", async () => (await centre.status()).bans === bans);
  assert.match(
    await print("ban", "why", address),
    /shadow +jail watching is in shadow mode|shadow mode/,
  );
  // So is the label of an entry of the allowlist, and local bans keep their hosts.
  const listed = await print("allow", "list");
  assert.match(listed, /192\.0\.2\.7 +all .* home +third floor/);
  assert.match(listed, /192\.0\.2\.7 +strict +operator/);
  assert.deepEqual((await banOf("198.51.100.5"))?.hosts, ["mx1"]);
});
