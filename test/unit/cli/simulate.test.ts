import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import type { Ask } from "../../../services/cli/client.ts";
import { createOutput } from "../../../services/cli/output.ts";
import { simulateCommand } from "../../../services/cli/simulate/simulate.ts";
import { PlainError } from "../../../services/process/exit.ts";
import { JAIL } from "../../harness/jail.ts";
import { failedLogin } from "../../harness/failed-login.ts";

const START = Date.UTC(2026, 10, 24);
const [A, B] = ["198.51.100.7", "198.51.100.8"];
const folder = await mkdtemp(join(tmpdir(), "fleetban-simulate-"));
after(() => rm(folder, { recursive: true, force: true }));

/** A log with failures of an address, at seconds after START. */
async function log(
  name: string,
  failures: readonly (readonly [address: string, second: number])[],
) {
  const path = join(folder, name);
  const lines = failures.map(([address, second]) =>
    failedLogin({ address, at: START + second * 1000 }),
  );
  await writeFile(path, lines.join(""));
  return path;
}

/** Nobody answers. */
const silent: Ask = () => Promise.reject(new PlainError("no NATS server answers", 69));

const simulate = (...args: string[]) => simulateWith(silent, ...args);

async function simulateWith(ask: Ask, ...args: string[]): Promise<string> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const output = createOutput({ stdout, stderr, environment: {} });
  const printed = text(stdout);
  try {
    const command = simulateCommand({ ask, output, now: () => START });
    await command.exitOverride().parseAsync(args, { from: "user" });
  } finally {
    stdout.end();
  }
  return printed;
}

interface Simulated {
  attempts: number;
  policies: {
    scope: string;
    origin: string;
    maxretry: number;
    bans: number;
    prevented: number;
    withLogin: number;
  }[];
  bans: {
    jail: string;
    offence: number;
    reason: string;
    address: string;
    at: string;
    until: string | null;
    hosts: object;
    hasLoggedIn: boolean;
  }[];
}
const simulated = async (...args: string[]) =>
  JSON.parse(await simulate(...args, "--json")) as Simulated;

test("an attacker below maxretry on every host is banned by the fleet, and by no host alone", async () => {
  const mx1 = await log("mx1", [
    [A, 0],
    [A, 3],
    [B, 4],
  ]);
  const mx2 = await log("mx2", [
    [A, 1],
    [A, 4],
    [A, 9],
  ]);
  const mx3 = await log("mx3", [
    [A, 2],
    [B, 5],
  ]);
  const hosts = [mx1, mx2, mx3].flatMap((path, index) => ["--host", `mx${index + 1}=${path}`]);
  const { attempts, bans, policies } = await simulated(...hosts);
  assert.equal(attempts, 8);
  assert.deepEqual(bans, [
    {
      address: A,
      at: new Date(START + 4_000).toISOString(),
      until: new Date(START + 1_204_000).toISOString(),
      hosts: { mx1: 2, mx2: 2, mx3: 1 },
      hasLoggedIn: false,
      ...{ jail: "simulated", offence: 1, reason: "5 failures on 3 hosts within 4s" },
    },
  ]);
  assert.deepEqual(
    policies
      .slice(0, 3)
      .map(({ origin, scope, bans: count, prevented }) => [origin, scope, count, prevented]),
    [
      ["tried", "fleet", 1, 1],
      ["default", "fleet", 1, 1],
      ["tried", "alone", 0, 0],
    ],
  );
});

test("attempts while banned count for nothing; after the ban they do again", async () => {
  const path = await log(
    "one",
    [0, 1, 50, 51, 200, 201].map((second) => [A, second] as const),
  );
  const { bans, policies } = await simulated(
    path,
    "--maxretry",
    "2",
    "--findtime",
    "60",
    "--bantime",
    "100",
  );
  assert.equal(bans.length, 2);
  assert.equal(policies[0]?.prevented, 2);
  const { bans: forEver } = await simulated(path, "--maxretry", "2", "--bantime", "-1");
  assert.deepEqual(
    forEver.map(({ until }) => until),
    [null],
  );
});

test("a banned address from which somebody has logged in is shown to be one", async () => {
  const path = await log("two", [
    [A, 0],
    [A, 1],
    [B, 2],
    [B, 3],
  ]);
  const stamp = new Date(START + 9_000).toISOString().replace("Z", "000+00:00");
  const success = `${stamp} mx1 dovecot: imap-login: Login: user=<bob>, method=PLAIN, rip=${B}, lip=192.0.2.25, mpid=1, session=<dhXQXP1gB8nGM2QH>\n`;
  await writeFile(join(folder, "two.1"), success);
  const { bans, policies } = await simulated(path, join(folder, "two.1"), "--maxretry", "2");
  assert.deepEqual(
    bans.map(({ address, hasLoggedIn }) => [address, hasLoggedIn]),
    [
      [A, false],
      [B, true],
    ],
  );
  assert.equal(policies[0]?.withLogin, 1);
  assert.match(
    await simulate(path, join(folder, "two.1"), "--maxretry", "2"),
    /198\.51\.100\.8 .* yes$/m,
  );
});

test("today's policy of the fleet is shown beside what is tried, with all of its options", async () => {
  const path = await log(
    "today",
    [0, 1, 2, 3].map((second) => [A, second] as const),
  );
  const jails = [
    { ...JAIL, name: "submission", maxretry: 2, bantime: null },
    { ...JAIL, maxretry: 4, users: 3 },
    { ...JAIL, name: "recidive", source: "bans" as const, maxretry: 1 },
  ].map((jail) => ({ jail, sentences: [], decoyCount: 1 }));
  const ask = (() =>
    Promise.resolve({
      ...{ jails, total: 3, next: null, coordinator: "c1", dbpurgeage: 60 },
    })) as unknown as Ask;
  const shown = async (...args: string[]) => {
    const printed = await simulateWith(ask, path, ...args);
    return printed.split("\n").filter((line) => line.startsWith("today"));
  };
  assert.match(
    (await shown())[0] ?? "",
    /^today \(jail dovecot\): 4 within 20m, for 20m, 3 users, recidive, all hosts together +2 +1 +0 +0$/,
  );
  assert.match(
    (await shown("--today", "submission", "--maxretry", "9"))[0] ?? "",
    /^today \(jail submission\): 2 within 20m, for ever, recidive, all hosts together +2 +1 +0 +2$/,
  );
  assert.deepEqual(await shown("--today", "none"), []);
  assert.match(await simulateWith(ask, path, "--today", "none"), /^fleetban's default: 5 within/m);
  await assert.rejects(simulateWith(ask, path, "--today", "recidive"), {
    exitCode: 64,
    message: /expected none, or a jail: submission, dovecot/,
  });
  await assert.rejects(simulateWith(silent, path, "--today", "dovecot"), { exitCode: 69 });
});

test("a call without a log, or with a host without one, is wrong", async () => {
  await assert.rejects(simulate(), { exitCode: 64, message: /expected at least one log/ });
  await assert.rejects(simulate("--host", "mx1"), {
    exitCode: 64,
    message: /expected a host and its log/,
  });
  await assert.rejects(simulate("x", "--findtime", "soon"), { exitCode: 64 });
  await assert.rejects(simulate(join(folder, "nowhere")), { exitCode: 66 });
});

test("IPv6 addresses count by their /64 unless told otherwise, and a login of one is the network's", async () => {
  const path = await log(
    "six",
    [1, 2, 3, 4, 5].map((last) => [`2001:db8:1:2::${last}`, last] as const),
  );
  const stamp = new Date(START + 9_000).toISOString().replace("Z", "000+00:00");
  const success = `${stamp} mx1 dovecot: imap-login: Login: user=<bob>, method=PLAIN, rip=2001:db8:1:2::99, lip=2001:db8::25, mpid=1, session=<dhXQXP1gB8nGM2QH>\n`;
  await writeFile(join(folder, "six.1"), success);
  const { bans } = await simulated(path, join(folder, "six.1"));
  assert.deepEqual(
    bans.map(({ address, hasLoggedIn }) => [address, hasLoggedIn]),
    [["2001:db8:1:2::/64", true]],
  );
  assert.deepEqual((await simulated(path, "--ipv6-prefix", "128")).bans, []);
  await assert.rejects(simulate(path, "--ipv6-prefix", "200"), {
    exitCode: 64,
    message: /expected a prefix of 32 to 128 bits/,
  });
});

test("bans grow as they would in the fleet, and recidive bans who was banned several times", async () => {
  const path = await log(
    "grows",
    [0, 200, 500, 1000].flatMap((start) => [[A, start] as const, [A, start + 1] as const]),
  );
  const policy = ["--maxretry", "2", "--findtime", "60", "--bantime", "100"];
  const growing = [...policy, "--bantime.increment", "--bantime.maxtime", "300"];
  const { bans } = await simulated(path, ...growing);
  const secondsOf = (each: Simulated["bans"]) =>
    each.map(({ at, until }) => (Date.parse(until ?? "") - Date.parse(at)) / 1000);
  assert.deepEqual(secondsOf(bans), [100, 200, 300, 300]);
  const recidive = ["--recidive", "--recidive.maxretry", "3", "--recidive.bantime", "1d"];
  const answer = await simulated(path, ...policy, ...recidive);
  assert.deepEqual(
    answer.bans.map(({ jail }) => jail),
    ["simulated", "simulated", "simulated", "recidive"],
  );
  assert.equal(answer.policies[0]?.prevented, 2);
  await assert.rejects(simulate(path, "--bantime.maxtime", "1d"), {
    exitCode: 64,
    message: /without --bantime\.increment/,
  });
});

test("an address that fails for users of several mail domains is banned before maxretry", async () => {
  const path = join(folder, "domains");
  const users = ["bob@mail.x.org", "eve@x.org", "bob@x.net"];
  const lines = users.map((user, n) => failedLogin({ address: A, user, at: START + n * 1000 }));
  await writeFile(path, lines.join(""));
  assert.deepEqual((await simulated(path)).bans, []);
  const { bans } = await simulated(path, "--domains", "2");
  assert.deepEqual(
    bans.map(({ reason }) => reason),
    ["2 mail domains in 3 failures on 1 host within 2s"],
  );
});

test("with a quorum one host's failures ban nobody, or on that host alone", async () => {
  const mx1 = await log(
    "quorum1",
    [0, 1, 2, 3, 4, 5].map((second) => [A, second] as const),
  );
  const mx2 = await log("quorum2", [
    [A, 10],
    [A, 11],
  ]);
  const hosts = ["--host", `mx1=${mx1}`, "--host", `mx2=${mx2}`];
  const strict = await simulated(...hosts, "--minhosts", "2");
  assert.deepEqual(
    strict.bans.map(({ at, hosts }) => [at, hosts]),
    [[new Date(START + 10_000).toISOString(), { mx1: 5, mx2: 1 }]],
  );
  assert.equal(strict.policies[0]?.prevented, 1);
  const local = await simulated(...hosts, "--minhosts", "2", "--quorum", "local-first");
  assert.deepEqual(
    local.bans.map(({ reason }) => reason),
    ["5 failures on 1 host within 4s", "confirmed by a failure on mx2"],
  );
  assert.equal(local.policies[0]?.prevented, 2);
  await assert.rejects(simulated(...hosts, "--quorum", "strict"), /no effect without --minhosts/);
  const some = await simulated(...hosts, "--hosts", "mx*,!mx1", "--maxretry", "2");
  assert.deepEqual(
    some.bans.map(({ hosts }) => hosts),
    [{ mx2: 2 }],
  );
  const shadow = await simulated(...hosts, "--shadow");
  assert.deepEqual([shadow.bans.length, shadow.policies[0]?.prevented], [1, 0]);
});

test("a network is banned of which several addresses were", async () => {
  const addresses = [1, 2, 3, 4].map((last) => `203.0.113.${last}`);
  const path = await log(
    "network",
    addresses.flatMap((address, n) => [[address, n * 10] as const, [address, n * 10 + 1] as const]),
  );
  const policy = ["--maxretry", "2", "--network", "--network.addresses", "3"];
  const { bans, policies } = await simulated(path, ...policy);
  assert.deepEqual(
    bans.map(({ address }) => address),
    [...addresses.slice(0, 3), "203.0.113.0/24"],
  );
  assert.equal(policies[0]?.prevented, 2);
  assert.equal((await simulated(path, "--maxretry", "2")).bans.length, 4);
});

test("a decoy is banned at once", async () => {
  const path = await log("decoy", [[A, 0]]);
  assert.deepEqual((await simulated(path)).bans, []);
  const { user } = /user=<(?<user>[^>]+)>/.exec(await readFile(path, "utf8"))?.groups ?? {};
  const { bans } = await simulated(path, "--decoys", `x,${(user ?? "").toUpperCase()}`);
  assert.deepEqual(
    bans.map(({ address }) => address),
    [A],
  );
});

test("known-good addresses need more failures, as the comparison and the option's faults show", async () => {
  const path = await log(
    "known",
    [10, 11, 12, 13, 14, 15].map((second) => [A, second] as const),
  );
  const stamp = (second: number) =>
    new Date(START + second * 1000).toISOString().replace("Z", "000+00:00");
  const login = `${stamp(1)} mx dovecot: imap-login: Login: user=<bob>, method=PLAIN, rip=${A}, lip=192.0.2.25, mpid=7, TLS, session=<a1>\n`;
  await writeFile(path, login + (await readFile(path, "utf8")));
  const bansOf = async (...args: string[]) =>
    (await simulated(path, "--maxretry", "2", ...args)).policies
      .filter(({ origin }) => origin === "tried")
      .map(({ bans }) => bans);
  assert.deepEqual((await bansOf()).slice(0, 2), [1, 1]);
  assert.deepEqual((await bansOf("--known-good-factor", "4")).slice(0, 3), [0, 0, 1]);
  const { bans, policies } = await simulated(path, "--maxretry", "2", "--known-good-factor", "3");
  assert.deepEqual(
    bans.map(({ reason, hasLoggedIn }) => [reason, hasLoggedIn]),
    [["6 failures on 1 host within 5s, known good", true]],
  );
  assert.equal(policies[3]?.withLogin, 1);
  for (const [args, fault] of [
    [["--known-good-factor", "1"], /expected a number above 1/],
    [["--known-good-factor", "3", "--known-good-within", "5m"], /expected a duration of 1h to 30d/],
    [["--known-good-within", "1h"], /no effect without --known-good-factor/],
  ] as const) {
    await assert.rejects(simulate(path, ...args), fault);
  }
});
