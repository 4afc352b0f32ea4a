/** The `fleetban` program against a real nats-server, PostgreSQL and coordinator. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { headers, type NatsConnection } from "@nats-io/nats-core";
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import * as fc from "fast-check";
import * as z from "zod";
import { followBucket } from "../../services/nats/follow-bucket.ts";
import { createLog } from "../../services/process/log.ts";
import { readVersion } from "../../services/process/version.ts";
import { freePort, startChild, type Child } from "../../services/standalone/child.ts";
import { parseNetwork } from "../../services/wire/address.ts";
import { api } from "../../services/wire/api.ts";
import { encodeFailureBatch, failureBatchId } from "../../services/wire/failure.ts";
import {
  ERROR_CODE_HEADER,
  ERROR_HEADER,
  VERSION_HEADER,
} from "../../services/wire/api-headers.ts";
import { askerInbox } from "../../services/wire/rights.ts";
import { encodeHostStatus, type HostStatus } from "../../services/wire/status.ts";
import {
  API_SUBJECTS,
  apiSubject,
  BANS_BUCKET,
  jailKey,
  LEADER_KEY,
  failureSubject,
  SETTINGS_BUCKET,
  statusSubject,
} from "../../services/wire/subjects.ts";
import { eventually } from "../harness/eventually.ts";
import {
  fleetban as runHere,
  programArguments,
  runFleetban,
  type Answer,
} from "../harness/fleetban.ts";
import { startHttpsReceiver } from "../harness/https-receiver.ts";
import { FOREIGN_WORDS, hostileRequests } from "../harness/hostile-requests.ts";
import { startTestNats, startTestServers } from "../harness/servers.ts";
import type { TestNats, TestPostgres } from "../harness/servers.ts";

let nats: TestNats;
let postgres: TestPostgres;
let coordinator: Child;
let connection: NatsConnection;
const log = createLog("cli.test", "silent");

before(async () => {
  [nats, postgres] = await startTestServers();
  const port = await freePort();
  coordinator = await startChild(process.execPath, {
    args: [...programArguments("coordinator"), "run"],
    env: {
      PATH: process.env["PATH"],
      NATS_URL: nats.url,
      DATABASE_URL: await postgres.createDatabase(),
      FLEETBAN_HTTP_LISTEN: `127.0.0.1:${port}`,
    },
  });
  connection = await connect({ servers: nats.url, inboxPrefix: askerInbox("test") });
  const isReady = async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  await eventually("the coordinator is ready", isReady, 90);
});

after(async () => {
  await connection.close();
  await coordinator.stop();
  await Promise.all([nats[Symbol.asyncDispose](), postgres[Symbol.asyncDispose]()]);
});

/** Without a process; what a coordinator that is not there, or errs, means is asked with one. */
const fleetban = (...args: string[]) => runHere(args, { NATS_URL: nats.url });

/** The answer of a call that must succeed; its own words say why when it does not. */
async function ask(...args: string[]): Promise<Answer> {
  const answer = await fleetban(...args);
  assert.equal(answer.code, 0, `fleetban ${args.join(" ")}: ${answer.stderr}`);
  return answer;
}

/** What an agent tells of itself, without an agent's work: a host that reports every ban. */
async function reportingHost(
  t: TestContext,
  host: string,
  told: Partial<HostStatus> = {},
): Promise<void> {
  const instance = randomUUID();
  const startedAt = Date.now();
  let revision = 0;
  let bansCreated: string | null = null;
  const report = () =>
    connection.publish(
      statusSubject(host),
      encodeHostStatus({
        v: 1,
        host,
        instance,
        version: "0.1.0",
        startedAt,
        sentAt: Date.now(),
        firewall: "ipset",
        revision,
        bansCreated,
        bansInForce: 0,
        addresses: [],
        sources: [],
        refused: [],
        repairs: 0,
        warnings: [],
        ...told,
      }),
    );
  const following = followBucket(
    { connection, bucket: BANS_BUCKET, log },
    {
      begin: (created) => void (bansCreated = created),
      entry: (entry) => {
        revision = entry.revision;
        report();
      },
      caughtUp: report,
    },
  );
  t.after(() => following.stop());
  await eventually(`${host} is listed`, async () =>
    (await ask("host", "list", "--json")).stdout.includes(instance),
  );
}

test("a fleet without hosts is said to be one, and a ban in force nowhere is no success", async () => {
  const status = await ask("status");
  assert.match(status.stdout, /^hosts +none yet: no agent has reported\nbans +0 in force/);
  assert.deepEqual([status.stderr, status.code], ["", 0]);
  const added = await fleetban("ban", "add", "192.0.2.66", "--wait");
  assert.match(
    added.stdout,
    /^192\.0\.2\.66 is banned in dovecot until .* \(in 20m\)\nin force on 0\/0/,
  );
  assert.match(added.stderr, /ban add: not in force everywhere: no host is up/);
  assert.equal(added.code, 69);
});

test("a ban, shown, listed, lengthened, and lifted", async (t) => {
  await reportingHost(t, "mx1");
  await reportingHost(t, "mx2");
  await reportingHost(t, "mx3");

  const added = await ask("ban", "add", "198.51.100.7", "--wait", "--reason", "a\x1b[2Jb");
  assert.match(
    added.stdout,
    /^198\.51\.100\.7 is banned in dovecot until [\d: -]+ UTC \(in 20m\)\n/,
  );
  assert.match(added.stdout, /\nin force on 3\/3 hosts after [\d.]+ m?s\n$/);
  assert.deepEqual([added.stderr, added.code], ["", 0]);

  const shorter = await ask("ban", "add", "198.51.100.7", "--for", "1m");
  assert.match(shorter.stdout, /is already banned in dovecot until .* \(in 20m\)/);
  assert.match(shorter.stderr, /--replace sets another end/);
  const forEver = await ask("ban", "add", "198.51.100.7", "--for", "-1");
  assert.equal(forEver.stdout, "198.51.100.7 is banned in dovecot for ever\n");
  const replaced = await ask("ban", "add", "198.51.100.7", "--for", "1h", "--replace");
  assert.match(replaced.stdout, /\(in 1h\)\n$/);

  const network = await ask("ban", "add", "203.0.113.9/24", "--wait=5s");
  assert.match(network.stdout, /^203\.0\.113\.0\/24 is banned .*\nin force on 3\/3 hosts/);

  const list = await ask("ban", "list", "--address", "198.51.100.0/24");
  assert.match(
    list.stdout,
    /^ADDRESS +JAIL +STATE +BANNED +BY +REASON\n198\.51\.100\.7 +dovecot +banned until [\d: -]+ UTC /,
  );
  assert.equal(list.stdout.trimEnd().split("\n").length, 2);

  const show = await eventually("the history has both", async () => {
    const answer = await ask("ban", "show", "198.51.100.7");
    return answer.stdout.includes("a\\x1b[2Jb") && answer;
  });
  assert.match(show.stdout, /\n +by +operator [\w-]+@[\w-]+ \(unverified\)\n/);
  assert.match(show.stdout, /^198\.51\.100\.7 in dovecot\n +state +banned until .* \(in 1h\)/);
  assert.match(show.stdout, /in force +on 3\/3 hosts: mx1, mx2, mx3\n/);
  assert.match(show.stdout, /\nhistory\nTIME .*\n.*banned .*a\\x1b\[2Jb/);

  const removed = await ask("ban", "remove", "198.51.100.7", "--wait", "--immunity", "10m");
  assert.match(removed.stdout, /^198\.51\.100\.7 is no longer banned in dovecot; .*\(in 10m\)\n/);
  assert.match(removed.stdout, /\nlifted on 3\/3 hosts after/);
  const again = await fleetban("ban", "remove", "198.51.100.7");
  assert.match(again.stderr, /^fleetban: 198\.51\.100\.7: is not banned\n$/);
  assert.equal(again.code, 1);
  const around = await fleetban("ban", "remove", "203.0.113.9");
  assert.match(around.stderr, /fleetban ban remove 203\.0\.113\.0\/24/);
  await eventually("the end is on record", async () => {
    const all = await ask("ban", "list", "--all", "--json", "--address", "198.51.100.7");
    const { bans } = api["ban.list"].reply.parse(JSON.parse(all.stdout));
    return bans.some(({ state }) => state === "lifted");
  });
});

test("a host that does not report in time, refuses, or only logs is named", async (t) => {
  const refused = [{ address: parseNetwork("192.0.2.77")!, reason: "its own\nignoreip" }];
  await reportingHost(t, "mx1");
  await reportingHost(t, "mx2", { revision: 0 });
  await reportingHost(t, "mx3", { refused });
  await reportingHost(t, "mx4", { firewall: "dry-run" });
  const late = await fleetban("ban", "add", "192.0.2.77", "--wait=0.3s");
  assert.equal(late.code, 69);
  assert.match(late.stdout, /\nin force on 1\/4 hosts after [\d.]+ m?s\n$/);
  assert.match(late.stderr, /^dry run, only logged: mx4\n/);
  assert.match(late.stderr, /not in force everywhere: no report in time from mx2; /);
  assert.match(late.stderr, /refused by mx3 \(its own\\x0aignoreip\)/);

  const status = await ask("status");
  assert.match(status.stdout, /^hosts +4 up, 1 without the last bans/);
  assert.match(status.stdout, /\nhigh: +host mx4: it bans nobody: its firewall.backend is dry-run/);
  const list = await ask("host", "list");
  assert.match(
    list.stdout,
    /\nmx2 +up +(?:now|\d+s ago) +ipset +0 +no +0 of 0 sources +ok +0\.1\.0\n/,
  );
  assert.match(list.stdout, /\nmx3 +refused: +192\.0\.2\.77: its own\\x0aignoreip\n/);
});

test("a host that was removed is no longer listed, until it reports again", async (t) => {
  const listed = async () => (await ask("host", "list")).stdout;
  await reportingHost(t, "mx9");
  const removed = await ask("host", "remove", "mx9");
  assert.equal(removed.stdout, "mx9 is no longer listed\n");
  assert.match(removed.stderr, /it was up/);
  await eventually("it is not listed", async () => !/^mx9 /m.test(await listed()));
  const again = await fleetban("host", "remove", "mx9");
  assert.match(again.stderr, /^fleetban: mx9: is no host that is listed\n$/);
  assert.equal(again.code, 1);
  await reportingHost(t, "mx9");
  assert.match(await listed(), /^mx9 +up /m);
});

test("one host is shown with what it reads, outdated agents are found, and silent hosts pruned", async (t) => {
  const sources = [
    {
      ...{ name: "mail-log", jail: "dovecot", state: "waiting" as const, lines: 7, failures: 2 },
      ...{ lag: 12, lastLineAt: null },
    },
  ];
  await reportingHost(t, "mx7", { sources, version: "0.0.9", repairs: 1 });
  const shown = await ask("host", "show", "mx7");
  assert.match(shown.stdout, /^host +mx7\nstate +up, last heard /);
  assert.match(
    shown.stdout,
    /\nagent +fleetban-agent 0\.0\.9, older than the coordinator's 0\.1\.0\n/,
  );
  assert.match(
    shown.stdout,
    /\nsource +mail-log for dovecot: waiting, 7 lines, 2 failures, no line yet, 12 bytes behind\n/,
  );
  const unknown = await fleetban("host", "show", "nowhere");
  assert.match(unknown.stderr, /nowhere: is no host that is listed, expected .*mx7/);
  assert.equal(unknown.code, 1);
  const outdated = await ask("host", "list", "--outdated", "--json");
  const { hosts } = api["host.list"].reply.parse(JSON.parse(outdated.stdout));
  assert.deepEqual(
    hosts.map(({ host }) => host),
    ["mx7"],
  );
  assert.equal((await ask("host", "prune")).stdout, "no host has been silent for 7d\n");
  await ask("host", "remove", "mx7");
});

test("a completion gets the names of the fleet, and nothing where nobody answers", async () => {
  assert.equal((await ask("completion", "names", "jails")).stdout, "dovecot\n");
  const nobody = await runFleetban(["completion", "names", "hosts"], {
    NATS_URL: "nats://127.0.0.1:1",
  });
  assert.deepEqual([nobody.stdout, nobody.code], ["", 69]);
  assert.match(
    (await ask("completion", "zsh")).stdout,
    /^#compdef fleetban\n[^]*'import:ban every/,
  );
});

test("a ping says who answers, how fast, and who decides", async () => {
  const once = await ask("ping");
  assert.match(once.stdout, /^(\S+), fleetban 0\.1\.0, answers after [\d.]+ m?s; \1 decides\n$/);
  const twice = await ask("ping", "--count", "2");
  assert.match(twice.stdout, /\n2 answers: [\d.]+ m?s at least, .* on average, .* at most\n$/);
  assert.equal((await runFleetban(["ping"], { NATS_URL: "nats://127.0.0.1:1" })).code, 69);
});

test("the allowlist keeps an address from being banned, and lifts its bans", async () => {
  await ask("ban", "add", "192.0.2.10");
  const added = await ask("allow", "add", "192.0.2.0/28", "--comment", "office");
  assert.equal(
    added.stdout,
    "192.0.2.0/28 is on the allowlist\n192.0.2.10 is no longer banned in dovecot\n",
  );
  const refused = await fleetban("ban", "add", "192.0.2.10");
  assert.match(refused.stderr, /192\.0\.2\.0\/28 is on the allowlist \(office\)/);
  assert.deepEqual([refused.stdout, refused.code], ["", 1]);
  assert.match((await ask("ban", "show", "192.0.2.10")).stdout, /192\.0\.2\.0\/28 is on the/);
  assert.match(
    (await ask("allow", "list")).stdout,
    /\n192\.0\.2\.0\/28 +all +operator .* office\n/,
  );
  const removed = await ask("allow", "remove", "192.0.2.0/28", "--json");
  const { allowed } = api["allow.remove"].reply.parse(JSON.parse(removed.stdout));
  assert.equal(allowed.address, "192.0.2.0/28");
  assert.equal((await fleetban("allow", "remove", "192.0.2.0/28")).code, 1);
  assert.equal((await ask("allow", "list")).stdout, "the allowlist is empty\n");
});

test("failures are found by address, user, host and time; hostile users stay text", async () => {
  const address = parseNetwork("198.51.100.20")!;
  const user = "x\x1b]0;owned\x07\u202ey";
  const batch = {
    v: 1 as const,
    host: "mx9-example-org",
    jail: "dovecot",
    source: "mail",
    epoch: "one",
    sentAt: Date.now(),
    from: 0,
    to: 300,
    failures: [1, 2, 3].map((position) => ({
      position: position * 100,
      address,
      at: Date.now() - 1000 * position,
      attempts: 1,
      user: position === 3 ? "info@example.com" : user,
      service: "imap",
      form: "login",
    })),
  };
  await jetstream(connection).publish(
    failureSubject(batch.jail, batch.host),
    encodeFailureBatch(batch),
    { msgID: failureBatchId(batch) },
  );
  const rows = async (...args: string[]) => {
    const { stdout } = await ask("failure", "list", "--json", ...args);
    return api["failure.list"].reply.parse(JSON.parse(stdout)).failures;
  };
  await eventually("three failures are recorded", async () => (await rows()).length === 3);
  assert.equal((await rows("--address", "198.51.100.0/24")).length, 3);
  assert.equal((await rows("--address", "192.0.2.0/24")).length, 0);
  assert.equal((await rows("--host", "mx9.example.org", "--since", "1h")).length, 3);
  assert.equal((await rows("--until", "1h")).length, 0);
  assert.equal((await rows("--user", "info@example.com")).length, 1);
  assert.equal((await rows("--jail", "dovecot", "--limit", "2")).length, 2);

  const list = await ask("failure", "list", "--limit", "2");
  assert.match(list.stdout, /^TIME \(UTC\) +HOST +JAIL +ADDRESS +ATTEMPTS +SERVICE +USER\n/);
  assert.match(list.stdout, / imap +x\\x1b\]0;owned\\x07\\u202ey\n/);
  assert.match(list.stderr, /there are more than these 2/);
  const json = await ask("failure", "list", "--json");
  assert.doesNotMatch(json.stdout, /[\x1b\x07\u202e]/);
  assert.equal((await rows("--domain", "EXAMPLE.com")).length, 1);
});

test("failure top ranks with bars, and hostile users stay text", async () => {
  const { stdout } = await ask("failure", "top", "users");
  const [total, head, first, second, ...more] = stdout.split("\n");
  assert.match(total ?? "", /^3 failed attempts since \d{4}-/);
  assert.match(head ?? "", /^USER +ATTEMPTS +SHARE$/);
  assert.match(first ?? "", /^x\\x1b\]0;owned\\x07\\u202ey +2 +66\.7 % +#{30}$/);
  assert.match(second ?? "", /^info@example\.com +1 +33\.3 % +#{15}$/);
  assert.deepEqual(more, [""]);
  for (const [what, name] of [
    ["addresses", "198.51.100.20"],
    ["networks", "198.51.100.0/24"],
    ["domains", "example.com"],
    ["hosts", "mx9-example-org"],
  ] as const) {
    const json = (await ask("failure", "top", what, "--since", "2h", "--json")).stdout;
    assert.equal(api["failure.top"].reply.parse(JSON.parse(json)).top[0]?.name, name);
  }
  const none = await ask("failure", "top", "countries");
  assert.match(none.stderr, /no country of them is known: .*notify\.whois\.databases/);
  const before = await ask("failure", "top", "--until", "1h");
  assert.match(before.stdout, /^0 failed attempts since .* until .*\n$/);
});

test("failure erase previews, asks, erases and leaves its mark in the audit", async () => {
  const erase = (...args: string[]) => fleetban("failure", "erase", ...args);
  const user = ["--user", "info@example.com"];
  const preview = await erase(...user, "--dry-run");
  assert.match(preview.stdout, /^1 failure, from \d{4}-.* to \d{4}-.*\n$/);
  assert.equal((await ask("failure", "list", "--user", "info@example.com", "--json")).code, 0);
  const unasked = await erase(...user);
  assert.match(unasked.stderr, /1 failure would be erased for good; expected --yes/);
  assert.equal(unasked.code, 64);
  const erased = await erase(...user, "--yes", "--reason", "request 4711");
  assert.deepEqual([erased.stdout, erased.code], ["1 failure erased\n", 0]);
  const none = await erase(...user, "--yes");
  assert.deepEqual([none.stdout, none.code], ["no failure matches\n", 1]);
  const audit = await ask("audit", "list");
  assert.match(audit.stdout, /operator .* failure erase +1 failure of a user: request 4711\n/);
  assert.doesNotMatch(audit.stdout, /info@example/);
  const network = await erase("--address", "198.51.100.0/24", "--yes", "--json");
  const { erased: rows } = api["failure.erase"].reply.parse(JSON.parse(network.stdout));
  assert.equal(rows, 2);
  assert.equal((await ask("failure", "list")).stdout, "no failures on record\n");
});

test("every answer in JSON is one document of the API's shape, with instants in ISO 8601", async () => {
  for (const [endpoint, ...args] of [
    ["status.show", "status"],
    ["host.list", "host", "list"],
    ["ban.add", "ban", "add", "198.51.100.30", "--for", "5m"],
    ["ban.list", "ban", "list"],
    ["ban.show", "ban", "show", "198.51.100.30"],
    ["ban.remove", "ban", "remove", "198.51.100.30"],
    ["allow.add", "allow", "add", "198.51.100.31"],
    ["allow.list", "allow", "list"],
    ["allow.remove", "allow", "remove", "198.51.100.31"],
    ["failure.list", "failure", "list"],
  ] as const) {
    const { stdout, code } = await ask(...args, "--json");
    assert.equal(code, 0, endpoint);
    const schema: z.ZodType = api[endpoint].reply;
    const document: unknown = JSON.parse(stdout);
    assert.deepEqual(z.encode(schema, schema.parse(document)), document, endpoint);
  }
});

test("a list of several pages is read to its end, or to its limit", async () => {
  const bans = Array.from({ length: 450 }, (_, index) => `10.1.${index >> 8}.${index & 255}`);
  const request = { jail: "dovecot", reason: "", replace: false, wait: null };
  await Promise.all(
    bans.map((address) =>
      connection.request(
        apiSubject("ban", "add", "test", "operator"),
        JSON.stringify({ address, ...request }),
        {
          timeout: 30_000,
        },
      ),
    ),
  );
  const all = await ask("ban", "list", "--address", "10.1.0.0/16", "--json");
  const reply = api["ban.list"].reply.parse(JSON.parse(all.stdout));
  assert.deepEqual(reply.bans.map(({ address }) => String(address)).sort(), bans.sort());
  assert.deepEqual([reply.total, reply.next], [450, null]);
  const some = await ask("ban", "list", "--address", "10.1.0.0/16", "--limit", "250");
  assert.equal(some.stdout.trimEnd().split("\n").length, 251);
  assert.match(some.stderr, /there are more than these 250/);
});

test("a jail that is not there is refused with those that are", async () => {
  const { stderr, code } = await fleetban("ban", "add", "198.51.100.1", "--jail", "sshd");
  assert.match(stderr, /^fleetban: jail "sshd": there is no such jail, expected dovecot\n$/);
  assert.equal(code, 1);
});

/** A folder of the test's own. */
async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-lists-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test("a list is banned but for what must not be, and again only what is missing", async (t) => {
  // Hosts of the tests before, which report no more.
  for (const host of ["mx2", "mx3", "mx4", "mx9"]) await fleetban("host", "remove", host);
  await reportingHost(t, "mx1");
  const list = join(await folderFor(t), "list.txt");
  await ask("allow", "add", "203.0.113.200", "--comment", "office");
  await writeFile(list, "# two\n198.51.100.201 # spam\n203.0.113.200/30\n127.0.0.1\n");
  const unasked = await fleetban("ban", "import", list);
  assert.match(unasked.stderr, /2 bans would be made; expected --yes/);
  assert.equal(unasked.code, 64);
  const dry = await ask("ban", "import", list, "--dry-run");
  assert.match(
    dry.stdout,
    /^2 addresses and 1 network 203\.0\.113\.200\/30: 2 would be banned, 2 left out/,
  );
  assert.match(
    (await ask("ban", "list", "--network", "198.51.100.201")).stdout,
    /nobody is banned/,
  );

  const first = await ask("ban", "import", list, "--for", "1d", "--yes", "--wait");
  assert.match(first.stdout, /^2 banned, 2 left out; 1 network without addresses that are never/);
  assert.match(first.stdout, /\nin force on 1\/1 hosts/);
  assert.match(first.stderr, /left out: 127\.0\.0\.1: is loopback/);
  assert.match(first.stderr, /left out: 203\.0\.113\.200: .* is on the allowlist \(office\)/);
  const parts = await ask("ban", "export", "--network", "203.0.113.200/30");
  assert.deepEqual(parts.stdout.trim().split("\n").sort(), ["203.0.113.201", "203.0.113.202/31"]);
  assert.match(
    (await ask("ban", "list", "--reason", "SPAM")).stdout,
    /198\.51\.100\.201 .* spam\n$/,
  );

  const again = await ask("ban", "import", list, "--for", "1d", "--yes");
  assert.match(again.stdout, /^0 banned, 2 were banned already, 2 left out/);
  const json = await ask("ban", "import", list, "--for", "2d", "--yes", "--json");
  const reply = api["ban.import"].reply.parse(JSON.parse(json.stdout));
  assert.deepEqual([reply.added, reply.kept, reply.refusedCount], [2, 0, 2]);
  const shorter = await ask("ban", "import", list, "--for", "1h", "--yes", "--replace");
  assert.match(shorter.stdout, /^2 banned/);
  await ask("ban", "remove", "--network", "203.0.113.200/30", "--yes");
  await ask("allow", "remove", "203.0.113.200");
});

test("a list with a fault changes nothing, and names the fault", async (t) => {
  const list = join(await folderFor(t), "list.txt");
  await writeFile(list, "198.51.100.211\nnob\x1b[2Jody\n0.0.0.0/0\n");
  const answer = await fleetban("ban", "import", list, "--yes");
  assert.equal(answer.code, 64);
  assert.match(answer.stderr, /2 entries cannot be used, and nothing was changed; correct them/);
  assert.match(answer.stderr, /\n {2}line 2: "nob\\u001b\[2Jody": expected an IPv4/);
  assert.match(answer.stderr, /\n {2}0\.0\.0\.0\/0: is too wide/);
  assert.doesNotMatch(answer.stderr, /\x1b/);
  const some = await ask("ban", "import", list, "--yes", "--skip-faults");
  assert.match(some.stdout, /^1 banned\n/);
  await writeFile(list, "address,jail\n198.51.100.212,sshd\n");
  const jail = await fleetban("ban", "import", list, "--yes");
  assert.match(jail.stderr, /jails that are not there: sshd; expected dovecot; --jail puts/);
  assert.equal(jail.code, 1);
  assert.equal((await fleetban("ban", "import", "/nonexistent", "--yes")).code, 66);
  assert.equal((await fleetban("ban", "import", "http://127.0.0.1/x", "--yes")).code, 64);
  const empty = await fleetban("ban", "import", "-", "--yes");
  assert.match(empty.stderr, /ban import: stdin: has no entry, expected an address or network/);
  assert.equal(empty.code, 64);
});

test("a list comes over https from a server that is trusted, and never from another", async (t) => {
  const folder = await folderFor(t);
  await using receiver = await startHttpsReceiver(folder);
  const run = (more: Record<string, string>) =>
    runFleetban(["ban", "import", receiver.url, "--yes"], { NATS_URL: nats.url, ...more });
  const trusted = { NODE_EXTRA_CA_CERTS: receiver.ca };
  receiver.respond((response) => response.end("198.51.100.221\n"));
  const strange = await run({});
  assert.match(strange.stderr, /cannot be fetched: (?:self|unable)/);
  assert.equal(strange.code, 66);
  const switchedOff = await run({ NODE_TLS_REJECT_UNAUTHORIZED: "0" });
  assert.match(switchedOff.stderr, /switches the check of certificates off/);
  const banned = await run(trusted);
  assert.deepEqual([banned.stdout, banned.code], ["1 banned\n", 0]);
  receiver.respond((response, { path }) => {
    if (path === "/list") response.end("198.51.100.222\n");
    else response.writeHead(302, { location: "/list" }).end();
  });
  assert.equal((await run(trusted)).stdout, "1 banned\n");
  receiver.respond((response) => response.writeHead(302, { location: "http://127.0.0.1/" }).end());
  const plain = await run(trusted);
  assert.match(plain.stderr, /it redirects there, expected an https URL/);
  receiver.respond((response) => response.writeHead(404).end("198.51.100.223\n"));
  assert.match((await run(trusted)).stderr, /the server answers 404/);
});

test("several addresses are banned, lifted and allowed at once; what is refused does not stop the others", async () => {
  const added = await fleetban("ban", "add", "198.51.100.231", "127.0.0.1", "198.51.100.232");
  assert.match(added.stdout, /^198\.51\.100\.231 is banned .*\n198\.51\.100\.232 is banned .*\n$/);
  assert.match(added.stderr, /^127\.0\.0\.1: is loopback/);
  assert.equal(added.code, 1);
  const nothing = await fleetban("ban", "add", "198.51.100.233", "nobody");
  assert.equal(nothing.code, 64);
  assert.equal((await fleetban("ban", "show", "198.51.100.233")).code, 1);
  const stdin = await fleetban("ban", "add", "-");
  assert.match(stdin.stderr, /ban add: stdin: expected addresses, got none/);
  const wide = await fleetban("ban", "add", "198.0.0.0/8");
  assert.match(wide.stderr, /ban add: 198\.0\.0\.0\/8 would be banned; expected --yes/);
  const planned = await ask("ban", "add", "198.0.0.0/8", "198.51.100.231", "--for=1m", "--dry-run");
  assert.match(planned.stdout, /^198\.0\.0\.0\/8 would be banned .*\n198\.51\.100\.231 is already/);
  assert.equal((await fleetban("ban", "remove", "198.0.0.0/8")).code, 1);
  const spared = await ask("allow", "add", "198.51.100.230/31", "--for", "4h", "--dry-run");
  assert.match(
    spared.stdout,
    /^198\.51\.100\.230\/31 would be on the allowlist until .*\(in 4h\)\n1 ban would be lifted\n$/,
  );
  assert.equal((await fleetban("allow", "check", "198.51.100.231")).code, 1);

  const freed = await ask("ban", "remove", "198.51.100.231", "--allow-for", "1d");
  assert.match(
    freed.stdout,
    /is no longer banned .*\n198\.51\.100\.231 is on the allowlist until .*\(in 1d\)/,
  );
  const rows = await ask("ban", "remove", "198.51.100.232", "198.51.100.232", "--json");
  assert.equal(api["ban.remove"].reply.parse(JSON.parse(rows.stdout)).total, 1);
  const within = await ask("allow", "check", "198.51.100.231");
  assert.match(
    within.stdout,
    /^198\.51\.100\.231 is on the allowlist \(ban lifted: by hand\) until /,
  );
  const around = await fleetban("allow", "check", "198.51.100.230/31");
  assert.match(around.stdout, /is not on the allowlist as a whole, but 198\.51\.100\.231 is/);
  assert.equal(around.code, 1);
  assert.equal((await fleetban("allow", "check", "198.51.100.233")).code, 1);
  await ask("allow", "add", "192.0.2.31", "192.0.2.32", "--label", "lab");
  await ask("allow", "remove", "192.0.2.31", "192.0.2.32", "198.51.100.231");
});

test("a list is allowed, lifts its bans, and is exported again", async (t) => {
  const list = join(await folderFor(t), "list.csv");
  await ask("ban", "add", "192.0.2.41");
  await writeFile(list, "address,comment\n192.0.2.40/31,office\n192.0.2.42,\n");
  const added = await ask("allow", "import", list, "--label", "home", "--yes");
  assert.equal(added.stdout, "2 added to the allowlist\n1 ban lifted\n");
  const again = await ask("allow", "import", list, "--label", "home", "--yes");
  assert.equal(again.stdout, "0 added to the allowlist, 2 were there already\n");
  const exported = await ask(
    "allow",
    "export",
    "--format",
    "nginx",
    "--aggregate",
    "--label",
    "home",
  );
  assert.equal(exported.stdout, "allow 192.0.2.40/31;\nallow 192.0.2.42;\n");
  await ask("allow", "remove", "192.0.2.40/31", "192.0.2.42");
});

test("bans are listed by who made them, when, and when they end, and counted", async () => {
  await ask("ban", "add", "198.51.100.241", "--for", "5m", "--reason", "Count me");
  await ask("ban", "add", "198.51.100.242", "--for", "5h", "--reason", "count me");
  const count = async (...args: string[]) =>
    (await ask("ban", "list", "--count", "--reason", "COUNT ME", ...args)).stdout;
  assert.equal(await count(), "2\n");
  assert.equal(await count("--ending-within", "1h"), "1\n");
  assert.equal(await count("--by", "tester@test", "--since", "1h"), "2\n");
  assert.equal(await count("--by", "decider"), "0\n");
  assert.equal(await count("--until", "1h"), "0\n");
  assert.equal(await count("--network", "198.51.100.242/32"), "1\n");
  await eventually("the record has both", async () => (await count("--all")) === "2\n");
  assert.equal(await count("--all", "--ending-within", "1h", "--by", "tester@test"), "1\n");
  assert.equal(await count("--all", "--network", "198.51.100.241/32", "--since", "1h"), "1\n");
  assert.equal(await count("--all", "--until", "1h"), "0\n");
  const csv = await ask("ban", "list", "--format", "csv", "--reason", "count me");
  assert.match(csv.stdout, /^address,jail,since,until,by,reason\n198\.51\.100\.241,dovecot,20/);
});

test("a backup is restored as it was, and a second time changes nothing", async (t) => {
  const folder = await folderFor(t);
  const file = join(folder, "fleet.json");
  await ask("ban", "add", "198.51.100.151", "--for", "5h", "--reason", "kept \x1b[2J reason");
  await ask("ban", "add", "198.51.100.152", "--for", "5h");
  await ask("allow", "add", "192.0.2.51", "--label", "home", "--comment", "office", "--for", "1d");
  await ask("jail", "set", "dovecot", "bantime", "3h", "--for", "1d");
  await ask("jail", "pause", "dovecot", "--reason", "moving", "--for", "2d");
  assert.match(
    (await ask("backup", file)).stdout,
    /fleet\.json: \d+ bans, 1 entry of the allowlist, 0 quarantines, 1 jail setting, 1 pause/,
  );
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  const { code, stderr } = await fleetban("backup", file);
  assert.match(stderr, /is there already, expected a new file/);
  assert.equal(code, 64);

  await ask("ban", "remove", "198.51.100.151");
  await ask("allow", "remove", "192.0.2.51");
  await ask("allow", "add", "198.51.100.152");
  await ask("jail", "unset", "dovecot");
  await ask("jail", "resume", "dovecot");
  const unasked = await fleetban("restore", file);
  assert.equal(unasked.code, 64);
  assert.match(unasked.stdout, /\n1 ban would be restored, \d+ were there already, 1 left out\n/);
  const restored = await ask("restore", file, "--yes");
  assert.match(restored.stdout, /\n1 ban restored, \d+ were there already, 1 left out\n/);
  assert.match(restored.stdout, /\n1 entry of the allowlist restored\n/);
  assert.match(restored.stdout, /\n1 jail setting restored\n1 pause restored\n/);
  const jail = (await ask("jail", "show", "dovecot")).stdout;
  assert.match(jail, /bantime 3h, set by .* until .* \(in (?:1d|23h 59m)\)/);
  assert.match(jail, /paused by .* \(in (?:2d|1d 23h)\) \(moving\)/);
  assert.match(restored.stderr, /left out: 198\.51\.100\.152: .* is on the allowlist/);
  const shown = (await ask("ban", "show", "198.51.100.151")).stdout;
  assert.match(shown, /banned until .* \(in (?:5h|4h 59m)\)/);
  assert.match(shown, /kept \\x1b\[2J reason/);
  const { allowed } = api["allow.list"].reply.parse(
    JSON.parse((await ask("allow", "list", "--json", "--label", "home")).stdout),
  );
  assert.deepEqual([allowed[0]?.address, allowed[0]?.comment], ["192.0.2.51", "office"]);
  assert.ok(allowed[0]?.until);
  const again = (await ask("restore", file, "--yes")).stdout;
  assert.match(again, /\n0 bans restored, \d+ were there/);
  assert.doesNotMatch(again, /setting|pause/);

  await writeFile(file, "{}");
  const wrong = await fleetban("restore", file, "--yes");
  assert.match(wrong.stderr, /expected what fleetban backup writes: fleetban is wrong or missing/);
  assert.equal(wrong.code, 64);
  await ask("allow", "remove", "192.0.2.51", "198.51.100.152");
  await ask("jail", "unset", "dovecot");
  await ask("jail", "resume", "dovecot");
});

test("a dump for helpers has no address, name or password in it", async (t) => {
  const file = join(await folderFor(t), "dump.json");
  await ask("ban", "add", "198.51.100.161", "--reason", "Mrs. Miller");
  assert.match((await ask("support", "dump", file)).stdout, /dump\.json: \d+ kB; look at it/);
  const text = await readFile(file, "utf8");
  const dump = z.looseObject({ status: z.object({ version: z.string() }) }).parse(JSON.parse(text));
  assert.equal(dump.status.version, "0.1.0");
  assert.doesNotMatch(text, /198\.51\.100|Miller|tester|info@example\.com/);
  assert.match(text, /"by": "operator-1"/);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
});

test("the bans of fail2ban go on in the fleet, for the time that is left of them", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-import-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(
    join(folder, "jail.local"),
    "[dovecot]\nenabled = true\nport = imap\nlogpath = /var/log/mail.log\n",
  );
  const printed = join(folder, "banned");
  await writeFile(
    printed,
    "[{'dovecot': ['203.0.113.71', '2001:db8:71::1', '203.0.113.72/30']}, {'sshd': ['::2']}]\n",
  );
  await ask("allow", "add", "203.0.113.73");
  const said = await ask("import", "fail2ban", folder, "--bans", printed);
  assert.match(said.stderr, /left out: ::2: the coordinator has no jail sshd\n/);
  assert.match(said.stderr, /left out: 203\.0\.113\.73: .* is on the allowlist/);
  assert.match(said.stderr, /3 of 4 bans of fail2ban are in force in the fleet\n/);
  const parts = await ask("ban", "export", "--network", "203.0.113.72/30");
  assert.deepEqual(parts.stdout.trim().split("\n").sort(), ["203.0.113.72", "203.0.113.74/31"]);
  await ask("allow", "remove", "203.0.113.73");
  assert.match((await ask("ban", "list")).stdout, /203\.0\.113\.71 .*banned by fail2ban/);

  if (spawnSync("python3", ["--version"]).status !== 0) {
    t.diagnostic("fail2ban's database is not tried: python3 is not installed");
    return;
  }
  const database = join(folder, "fail2ban.sqlite3");
  const rows = `import sqlite3,sys,time
db = sqlite3.connect(sys.argv[1])
db.execute("CREATE TABLE bips(ip, jail, timeofban, bantime, bancount, data)")
for ip, since, length in [("203.0.113.72", 100, 3700), ("203.0.113.73", 700, 600), ("203.0.113.74", 1, -1), ("host.example", 1, 600)]:
    db.execute("INSERT INTO bips VALUES(?, 'dovecot', ?, ?, 1, '{}')", (ip, int(time.time()) - since, length))
db.commit()`;
  assert.equal(spawnSync("python3", ["-c", rows, database]).status, 0);
  const again = await ask("import", "fail2ban", folder, "--bans", database);
  assert.match(again.stderr, /2 of 2 bans of fail2ban are in force in the fleet\n/);
  const bans = (await ask("ban", "list")).stdout;
  assert.match(bans, /203\.0\.113\.72 .*in (?:1h|59m)/, "not the ban's whole length");
  assert.match(bans, /203\.0\.113\.74 .*for ever/);
  assert.doesNotMatch(bans, /203\.0\.113\.73/, "it was over");
});

test("every request is answered with a reply of its shape, or refused plainly and without a change", async (t) => {
  const seed = Number(process.env["FLEETBAN_SEED"] ?? Date.now() % 2 ** 31);
  t.diagnostic(`FLEETBAN_SEED=${seed}`);
  let writes = 0;
  const isOwn = (subject: string) =>
    [LEADER_KEY, jailKey("dovecot")].some((key) => subject === `$KV.${SETTINGS_BUCKET}.${key}`);
  for (const bucket of [BANS_BUCKET, SETTINGS_BUCKET]) {
    connection.subscribe(`$KV.${bucket}.>`, {
      callback: (_, { subject }) => {
        // The leader's signs of life come by themselves, and so do jails after a pause.
        if (!isOwn(subject)) writes += 1;
      },
    });
  }
  await connection.flush();
  const count = { replies: 0, refusals: 0 };
  let before = writes;
  const property = fc.asyncProperty(hostileRequests, async ({ endpoint, bytes }) => {
    const [noun = "", verb = ""] = endpoint.split(".");
    const subject = apiSubject(noun, verb, "test", "operator");
    const answer = await connection.request(subject, bytes, { timeout: 20_000 });
    await connection.flush();
    const after = writes;
    const code = answer.headers?.get(ERROR_CODE_HEADER);
    if (code) {
      const text = answer.headers?.get(ERROR_HEADER) ?? "";
      assert.match(code, /^(?:400|404|409)$/, text);
      // What was given is shown in quotes, and may be anything.
      assert.doesNotMatch(
        text.replace(/(?:"(?:[^"\\]|\\.)*"?…?|\{.*\}|\[.*\])/g, ""),
        FOREIGN_WORDS,
      );
      assert.equal(after, before, `${text}: it was refused, and something was written`);
      count.refusals += 1;
    } else {
      (api[endpoint].reply as z.ZodType).parse(answer.json());
      count.replies += 1;
    }
    before = after;
  });
  // Each run is one round trip: as many as fit into the time.
  const limits = { numRuns: 500, interruptAfterTimeLimit: 12_000, markInterruptAsFailure: false };
  await fc.assert(property, { ...limits, seed, endOnFailure: true });
  t.diagnostic(JSON.stringify(count));
  assert.ok(count.replies > 0 && count.refusals > 0, JSON.stringify(count));
  const seen = writes;
  await ask("ban", "add", "198.51.100.39");
  await eventually("what is written is noticed", () => writes > seen);
});

test("without PostgreSQL a ban still happens, and answers from the history say that they are old", async () => {
  await postgres.stop();
  try {
    const added = await ask("ban", "add", "198.51.100.40");
    assert.equal(added.code, 0);
    const list = await ask("ban", "list", "--all");
    assert.match(list.stderr, /this answer may be incomplete: PostgreSQL cannot be asked/);
    const present = await ask("ban", "list");
    assert.match(present.stdout, /198\.51\.100\.40/);
    assert.equal(list.stdout.split("\n").length, present.stdout.split("\n").length);
    const failures = await fleetban("failure", "list");
    assert.deepEqual([failures.stdout, failures.code], ["", 69]);
    assert.match((await ask("status")).stdout, /\nPostgreSQL +cannot be reached/);
  } finally {
    await postgres.start();
  }
});

test("a coordinator that is not there, errs or talks nonsense is explained in one line", async () => {
  await using other = await startTestNats();
  const askOther = () => runFleetban(["status"], { NATS_URL: other.url });
  const silent = await askOther();
  assert.match(
    silent.stderr,
    /^fleetban: no coordinator answers at nats:.* \(from NATS_URL\): is fleetban-coordinator running\?\n$/,
  );
  assert.deepEqual([silent.stdout, silent.code], ["", 69]);

  const responder = await connect({ servers: other.url });
  let code = "";
  let body = "";
  let version = "";
  responder.subscribe(API_SUBJECTS, {
    callback(_, message) {
      const fields = headers();
      if (version) fields.set(VERSION_HEADER, version);
      if (code) {
        fields.set(ERROR_CODE_HEADER, code);
        fields.set(ERROR_HEADER, "because \x1b[31m of \x9b");
      }
      message.respond(body, { headers: fields });
    },
  });
  await responder.flush();
  for (const [error, exit] of [
    ["400", 64],
    ["404", 1],
    ["409", 1],
    ["503", 69],
    ["999", 69],
  ] as const) {
    code = error;
    const answer = await askOther();
    assert.equal(answer.stderr, "fleetban: because \\x1b[31m of \\x9b\n");
    assert.deepEqual([answer.stdout, answer.code], ["", exit]);
  }
  code = "";
  for ([body, version] of [
    ...["", "no JSON", "{}", '{"version":1}'].map((text) => [text, ""] as const),
    ...["{}", '{"version":1}'].map((text) => [text, "0.0.1"] as const),
    // A reply of this version is not checked again.
    ...["", "no JSON \x1b[31m"].map((text) => [text, readVersion()] as const),
  ]) {
    const answer = await askOther();
    assert.match(
      answer.stderr,
      /^fleetban: the coordinator's reply cannot be read: status\.show: /,
    );
    assert.deepEqual([answer.stdout, answer.code], ["", 69]);
  }
  await responder.close();
});

test("a coordinator names its version with every reply, also with an error", async () => {
  for (const [noun, verb] of [
    ["ping", "show"],
    ["no", "such"],
  ] as const) {
    const subject = apiSubject(noun, verb, "test", "operator");
    const { headers: fields } = await connection.request(subject, "{}", { timeout: 10_000 });
    assert.equal(fields?.get(VERSION_HEADER), readVersion());
  }
});
