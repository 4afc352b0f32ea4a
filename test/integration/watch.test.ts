/** `fleetban watch` and `fleetban failure add`, on a real NATS and a coordinator. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Reply } from "../../services/wire/api.ts";
import { startCentre, type Centre } from "../harness/centre.ts";
import { eventually } from "../harness/eventually.ts";
import { spawnFleetban } from "../harness/fleetban.ts";
import { startTestServers, type TestNats, type TestPostgres } from "../harness/servers.ts";

const COORDINATOR = `jails: { dovecot: {}, near: { hosts: [mx1] }, recidive: { source: bans } }`;

let folder: string;
let nats: TestNats;
let postgres: TestPostgres;
let centre: Centre;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-watch-"));
  [nats, postgres] = await startTestServers();
  const databaseUrl = await postgres.createDatabase();
  centre = await startCentre({
    ...{ folder, natsUrl: nats.url, databaseUrl, coordinatorYaml: COORDINATOR },
  });
});

after(async () => {
  await centre[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** `fleetban watch` as a process of its own; `stop` ends it as Ctrl-C does. */
async function watch(...args: string[]) {
  const child = spawnFleetban(["watch", ...args], { NATS_URL: nats.url });
  let output = "";
  let errors = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const ended = once(child, "close") as Promise<[number | null, string | null]>;
  await eventually("it shows the host", () => output !== "");
  return {
    output: () => output,
    async stop() {
      child.kill("SIGINT");
      return { ended: await ended, errors };
    },
  };
}

test("watch shows failures, bans and hosts as they come, without control characters, and quits cleanly", async () => {
  const watching = await watch();
  try {
    assert.match(watching.output(), /host mx1: up, has every ban/);
    const evil = "bob\u001b]0;owned\u0007\n2026 fake";
    const add = ["failure", "add", "198.51.100.41", "--host", "mx7", "--user", evil];
    assert.equal((await centre.cli(...add, "--service", "webmail")).code, 0);
    await eventually("the failure is shown", () => /failure +mx7 +dovecot/.test(watching.output()));
    assert.match(watching.output(), /failure +mx7 +dovecot +198\.51\.100\.41 +webmail +user bob/);
    assert.doesNotMatch(watching.output(), /[\u0007\u001b]/);
    assert.doesNotMatch(watching.output(), /^2026 fake/m);
    await centre.fail("198.51.100.42", 5);
    const banned = /BAN +198\.51\.100\.42 +dovecot until .*in 20m\): 5 failures on 1 host/;
    await eventually("the ban is shown", () => banned.test(watching.output()));
    await centre.cli("ban", "remove", "198.51.100.42");
    await eventually("its end is shown", () => /unban +198\.51\.100\.42/.test(watching.output()));
  } finally {
    assert.deepEqual(await watching.stop(), { ended: [0, null], errors: "" });
  }
});

test("of very many failures watch counts all and prints a few", async () => {
  const watching = await watch();
  const rounds = 40;
  try {
    const many = Array.from({ length: 400 }, (_, index) => `203.0.113.${index % 250}`);
    for (let round = 0; round < rounds; round += 1) {
      const some = [...new Set(many)].map((address) =>
        address.replace("203.0.113", `10.9.${round}`),
      );
      const { code } = await centre.cli(
        "failure",
        "add",
        ...some,
        "--attempts",
        "4",
        "--host",
        "mx7",
      );
      assert.equal(code, 0);
    }
    const counted = () => {
      const lines = watching.output().split("\n");
      const shown = lines.filter((line) => /failure +mx7/.test(line)).length * 4;
      const others = [...watching.output().matchAll(/\.\.\. (\d+) more failure/g)];
      return shown + others.reduce((sum, [, more]) => sum + Number(more), 0);
    };
    await eventually("all are counted", () => counted() === rounds * 250 * 4);
    const lines = watching
      .output()
      .split("\n")
      .filter((line) => /failure +mx7/.test(line));
    assert.ok(lines.length < (rounds * 250) / 2, String(lines.length));
  } finally {
    await watching.stop();
  }
});

test("watch --for ends by itself, and --json prints one document a line", async () => {
  const ended = centre.cli("watch", "--for", "3s", "--json");
  const { code, stdout } = await ended;
  assert.equal(code, 0);
  const documents = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as object);
  assert.ok(documents.some((document) => "hosts" in document));
});

test("failures of another program become a ban, also of several addresses from the command line", async () => {
  const addresses = ["198.51.100.51", "2001:db8::51"];
  const { code, stdout } = await centre.cli(
    ...["failure", "add", ...addresses, "--attempts", "5", "--host", "mx7", "--service", "webmail"],
  );
  assert.deepEqual(
    [code, stdout],
    [0, "2 failures of host mx7 for jail dovecot: stored, and counted\n"],
  );
  await eventually("it is banned", () => centre.isBanned("198.51.100.51"));
  await eventually("its /64 is banned", () => centre.isBanned("2001:db8::/64"));
  const listed = await eventually("the failure is on record", async () => {
    const { stdout } = await centre.cli("failure", "list", "--address", "198.51.100.51", "--json");
    return (JSON.parse(stdout) as Reply<"failure.list">).failures[0];
  });
  const { host, attempts, service, form } = listed;
  assert.deepEqual(
    { host, attempts, service, form },
    {
      ...{ host: "mx7", attempts: 5, service: "webmail", form: "reported" },
    },
  );
});

test("what cannot count is refused, and says why", async () => {
  for (const [args, code, text] of [
    [["198.51.100.0/24"], 64, /expected one address, and no network/],
    [["198.51.100.7", "--attempts", "0"], 64, /expected a whole number from 1 to 1000/],
    [["127.0.0.1"], 1, /is loopback/],
    [["198.51.100.7", "--jail", "none"], 1, /no such jail, expected dovecot, near, recidive/],
    [["198.51.100.7", "--jail", "recidive"], 1, /counts bans, and no failures/],
    [["198.51.100.7", "--jail", "near", "--host", "mx7"], 1, /counts no failures of host mx7/],
  ] as const) {
    const answer = await centre.cli("failure", "add", ...args);
    assert.equal(answer.code, code, answer.stderr);
    assert.match(answer.stderr, text);
  }
});
