/** The built daemons as systemd starts them: what they say and how they end when something is wrong. */
import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { freePort, startChild, type Child } from "../../services/standalone/child.ts";
import { failureSubject } from "../../services/wire/subjects.ts";
import { eventually } from "../harness/eventually.ts";
import { startTestNats, startTestPostgres } from "../harness/servers.ts";

const ROOT = join(import.meta.dirname, "../..");
const PROGRAMS = ["coordinator", "agent"] as const;
type Program = (typeof PROGRAMS)[number];

interface Running extends AsyncDisposable {
  child: Child;
  output(): string;
  /** Its exit code or signal. */
  readonly ended: Child["ended"];
}

/** Nothing of this machine's settings reaches it but what `env` says. */
async function start(
  program: Program,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  prefix: readonly string[] = [],
): Promise<Running> {
  let output = "";
  const [command = "", ...rest] = [
    ...prefix,
    process.execPath,
    join(ROOT, `dist/services/${program}/main.js`),
    ...args,
  ];
  const child = await startChild(command, {
    args: rest,
    env: { PATH: process.env["PATH"], ...env },
    onOutput: (chunk) => (output += chunk.toString()),
  });
  return {
    child,
    output: () => output,
    ended: child.ended,
    [Symbol.asyncDispose]: () => child.stop(),
  };
}

/** A folder for one test, with a configuration in it. */
async function folderWith(yaml: string) {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-programs-"));
  await chmod(folder, 0o755); // for those who are not root
  const config = join(folder, "config.yaml");
  await writeFile(config, yaml);
  const remove = () => rm(folder, { recursive: true, force: true });
  return { folder, config, [Symbol.asyncDispose]: remove };
}

/** Lines of its log with these words. */
function said({ output }: Running, words: string): string[] {
  return output()
    .split("\n")
    .filter((line) => line.includes(words));
}

/** What the coordinator's HTTP answers; undefined while nobody listens. */
async function ask(port: number, path: string) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined);
  return response && { code: response.status, text: await response.text() };
}

const metric = async (port: number, name: string): Promise<number> =>
  Number(new RegExp(`^${name} (\\S+)$`, "m").exec((await ask(port, "/metrics"))?.text ?? "")?.[1]);

for (const program of PROGRAMS) {
  describe(`fleetban-${program}`, () => {
    test("an option or a command that is not there is a wrong call: 64", async () => {
      for (const args of [["--colour"], ["run", "--colour"], ["frobnicate"], ["run", "twice"]]) {
        await using running = await start(program, args);
        assert.equal(await running.ended, 64, args.join(" "));
        assert.match(
          running.output(),
          /^fleetban-(?:agent|coordinator): .*\n\((?:usage: )?fleetban-.*; --help explains/,
        );
      }
    });

    test("help and version that were asked for are no error", async () => {
      for (const args of [["--help"], ["run", "--help"], ["--version"]]) {
        await using running = await start(program, args);
        assert.equal(await running.ended, 0, args.join(" "));
        assert.notEqual(running.output(), "");
      }
    });

    test("an impossible configuration ends it with all faults, no stack, and 78", async () => {
      await using given = await folderWith("nats: { url: 7, port: 1 }\nlog: { level: loud }\n");
      for (const command of ["run", "check"]) {
        await using running = await start(program, [command, "--config", given.config]);
        assert.equal(await running.ended, 78);
        const faults = running.output().replaceAll(given.config, "FILE").trimEnd().split("\n");
        assert.match(faults[0] ?? "", new RegExp(`^fleetban-${program}: FILE: `));
        assert.deepEqual(faults.map((line) => /FILE: ([\w.]+): /.exec(line)?.[1]).sort(), [
          "log.level",
          "nats.port",
          "nats.url",
        ]);
      }
    });

    test("a configuration that is not there ends it with 78", async () => {
      await using running = await start(program, ["run", "--config", "/nowhere/config.yaml"]);
      assert.equal(await running.ended, 78);
      assert.equal(
        running.output(),
        `fleetban-${program}: /nowhere/config.yaml: cannot be read: no such file\n`,
      );
    });
  });
}

test("a coordinator without NATS says so once, lives, is not ready, and begins when NATS comes", async () => {
  await using nats = await startTestNats();
  await using postgres = await startTestPostgres();
  const port = await freePort();
  await nats.stop();
  await using running = await start("coordinator", ["run"], {
    NATS_URL: nats.url,
    DATABASE_URL: await postgres.createDatabase(),
    FLEETBAN_HTTP_LISTEN: `127.0.0.1:${port}`,
  });
  await eventually("it says so", () => said(running, "NATS cannot be reached, keeps trying")[0]);
  assert.deepEqual(await ask(port, "/livez"), { code: 200, text: "alive\n" });
  assert.deepEqual(await ask(port, "/readyz"), {
    code: 503,
    text: '{"ready":false,"reasons":["NATS cannot be reached yet: connection refused"]}\n',
  });
  assert.equal((await ask(port, "/metrics"))?.code, 404);
  await nats.start();
  await eventually("it is ready", async () => (await ask(port, "/readyz"))?.code === 200);
  assert.equal(said(running, "NATS cannot be reached, keeps trying").length, 1);
  assert.equal(said(running, "    at ").length, 0, "no stack is shown");
  await running.child.stop();
  assert.equal(await running.ended, 0);
});

test("a coordinator without PostgreSQL says so once, lives, is not ready, and begins when it comes", async () => {
  await using nats = await startTestNats();
  await using postgres = await startTestPostgres();
  const port = await freePort();
  const env = {
    NATS_URL: nats.url,
    DATABASE_URL: await postgres.createDatabase(),
    FLEETBAN_HTTP_LISTEN: `127.0.0.1:${port}`,
  };
  await postgres.stop();
  await using running = await start("coordinator", ["run"], env);
  const words = "PostgreSQL cannot be reached, keeps trying";
  await eventually("it says so", () => said(running, words)[0]);
  assert.equal((await ask(port, "/livez"))?.code, 200);
  const reasons = { ready: false, reasons: ["PostgreSQL cannot be reached yet"] };
  await eventually("nothing else is missing", async () => {
    return (await ask(port, "/readyz"))?.text === `${JSON.stringify(reasons)}\n`;
  });
  assert.equal((await ask(port, "/readyz"))?.code, 503);
  await postgres.start();
  await eventually("it is ready", async () => (await ask(port, "/readyz"))?.code === 200);
  assert.equal(said(running, words).length, 1);
});

test("a message that nobody can decode is counted, said once, and stops nothing", async () => {
  await using nats = await startTestNats();
  await using postgres = await startTestPostgres();
  const port = await freePort();
  await using running = await start("coordinator", ["run"], {
    NATS_URL: nats.url,
    DATABASE_URL: await postgres.createDatabase(),
    FLEETBAN_HTTP_LISTEN: `127.0.0.1:${port}`,
  });
  await eventually("it is ready", async () => (await ask(port, "/readyz"))?.code === 200);
  const connection = await connect({ servers: nats.url });
  try {
    const subject = failureSubject("dovecot", "mx1");
    for (const bytes of [Buffer.from([0xff, 0x00]), Buffer.from("{}"), Buffer.from("[[[[")]) {
      await jetstream(connection).publish(subject, bytes);
    }
  } finally {
    await connection.close();
  }
  await eventually(
    "all are counted",
    async () => (await metric(port, "fleetban_undecodable_messages_total")) === 3,
  );
  await eventually(
    "none is waiting",
    async () => (await metric(port, "fleetban_recorder_lag_messages")) === 0,
  );
  assert.equal(said(running, "failures cannot be decoded").length, 1);
  await eventually("the recorder says so", () => said(running, "not recorded").length > 0);
  assert.equal(said(running, "not recorded").length, 1);
  assert.equal((await ask(port, "/readyz"))?.code, 200);
});

test("an agent without NATS says so once, keeps trying, and begins when NATS comes", async () => {
  await using nats = await startTestNats();
  await using given = await folderWith("firewall: { backend: dry-run }\n");
  await nats.stop();
  await using running = await start("agent", ["run", "--config", given.config], {
    NATS_URL: nats.url,
    FLEETBAN_STATE_DIR: join(given.folder, "state"),
  });
  const words = "NATS cannot be reached, keeps trying";
  await eventually("it says so", () => said(running, words)[0]);
  await nats.start();
  await eventually("it is at work", () => said(running, "agent is at work")[0]);
  assert.equal(said(running, words).length, 1);
  await running.child.stop();
  assert.equal(await running.ended, 0);
});

describe("an agent that may not change the firewall", { skip: process.getuid?.() !== 0 }, () => {
  const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"];

  test("does not start: 77, with the capability that it needs and a way out", async () => {
    await using given = await folderWith("");
    const args = ["run", "--config", given.config];
    await using running = await start("agent", args, {}, nobody);
    assert.equal(await running.ended, 77);
    assert.match(
      running.output(),
      /^fleetban-agent: firewall: no permission .*CAP_NET_ADMIN.*firewall\.backend to dry-run\n$/,
    );
  });

  test("is told so by its check, beside everything else: 77", async () => {
    await using given = await folderWith(`stateDir: ${tmpdir()}\n`);
    const args = ["check", "--config", given.config];
    const env = { NATS_URL: `nats://127.0.0.1:${await freePort()}` };
    await using running = await start("agent", args, env, nobody);
    assert.equal(await running.ended, 77);
    assert.match(running.output(), /^ok +configuration: host /);
    assert.match(running.output(), /^FAIL +firewall: no permission .*CAP_NET_ADMIN/m);
    assert.match(running.output(), /^FAIL +NATS: nats:/m);
  });
});

test("an agent's check calls no source well that reads nothing", async () => {
  await using given = await folderWith("");
  const sources = [
    ...[
      `{ name: unit, unit: no-such-thing.service }`,
      `{ name: journal, container: mail, directory: ${given.folder} }`,
    ],
    `{ name: file, path: ${join(given.folder, "no-such.log")} }`,
  ];
  const firewall = "firewall: { backend: dry-run }";
  await writeFile(given.config, `${firewall}\nsources: [${sources.join(", ")}]\n`);
  const env = {
    NATS_URL: `nats://127.0.0.1:${await freePort()}`,
    FLEETBAN_STATE_DIR: given.folder,
  };
  await using running = await start("agent", ["check", "--config", given.config], env);
  await running.ended;
  assert.match(running.output(), /^FAIL +source unit: /m);
  assert.match(running.output(), /^FAIL +source journal: .*: there is no journal in /m);
  assert.match(running.output(), /^note +source file: .*: is not there yet/m);
});

test("a coordinator's check says in sentences what a jail's options do", async () => {
  await using given = await folderWith(`jails:
  one: { domains: 3, minhosts: 2 }
  two: { minhosts: 3, quorum: local-first }
  three: { hosts: ["mx*", "!mx9"], shadow: true }
`);
  const args = ["check", "--config-only", "--config", given.config];
  await using running = await start("coordinator", args);
  assert.equal(await running.ended, 0, running.output());
  const words = running.output().replace(/\s+/g, " ");
  for (const sentence of [
    "an address that tries user names of 3 mail domains that are not related is banned before maxretry",
    "nobody is banned before 2 hosts have seen failures",
    "a ban is in force only where failures were seen, until 3 hosts have seen some",
    "only failures of the hosts mx*, !mx9 count, and bans hold there",
    "shadow mode: bans are shown and recorded, and never in force",
  ]) {
    assert.ok(words.includes(sentence), `${sentence}: not in ${running.output()}`);
  }
});

test("a coordinator's check says where its web page is, and looks at its files", async () => {
  await using given = await folderWith(`web:
  listen: 127.0.0.1:9490
  url: https://bans.example.org/fleetban
  session: 8h
  tls: { cert: web.pem, key: web.key }
  proxy: { addresses: [192.0.2.10], roles: { viewer: ["*"] } }
`);
  const args = ["check", "--config", given.config];
  await using running = await start("coordinator", args, {
    NATS_URL: `nats://127.0.0.1:${await freePort()}`,
    DATABASE_URL: "postgresql://nobody@127.0.0.1:1/none",
  });
  assert.equal(await running.ended, 69, "NATS is the first that fails");
  assert.match(
    running.output(),
    /^web page: https:\/\/bans\.example\.org\/fleetban\/, listens at 127\.0\.0\.1:9490 with TLS; login by link, or by X-Remote-User from 192\.0\.2\.10; a session lasts 8h$/m,
  );
  assert.match(
    running.output(),
    /^FAIL +web certificate: web\.tls\.cert: \/\S+\/web\.pem: cannot/m,
  );
});

test("a coordinator's check says of NATS and PostgreSQL whether they can be used", async () => {
  await using nats = await startTestNats();
  await using postgres = await startTestPostgres();
  const env = { NATS_URL: nats.url, DATABASE_URL: await postgres.createDatabase() };
  await using well = await start("coordinator", ["check"], env);
  assert.equal(await well.ended, 0, well.output());
  assert.match(well.output(), /^jail dovecot: 5 failures/m);
  assert.match(well.output(), /^ok +NATS: 127\.0\.0\.1:/m);
  assert.match(well.output(), /^ok +PostgreSQL: .*the first start makes the tables$/m);

  const { username, host, pathname } = new URL(env.DATABASE_URL);
  const noPassword = { ...env, DATABASE_URL: `postgresql://${username}@${host}${pathname}` };
  // The client that migrates, the one that checks and Prisma's each say it in their own way.
  const why = "PostgreSQL asks for a password, and database.url has none";
  for (const command of ["check", "migrate"]) {
    await using refused = await start("coordinator", [command], noPassword);
    assert.equal(await refused.ended, 69);
    assert.match(refused.output(), new RegExp(`PostgreSQL.*: ${why}$`, "m"));
  }
  const listen = { FLEETBAN_HTTP_LISTEN: `127.0.0.1:${await freePort()}` };
  await using running = await start("coordinator", ["run"], { ...noPassword, ...listen });
  await eventually("it says so in its log", () => said(running, why).length > 0);

  await nats.stop();
  await postgres.stop();
  await using ill = await start("coordinator", ["check"], env);
  assert.equal(await ill.ended, 69);
  assert.match(ill.output(), /^FAIL +NATS: nats:.*$/m);
  assert.match(ill.output(), /^FAIL +PostgreSQL: 127\.0\.0\.1:\d+: .*ECONNREFUSED/m);
  await using alone = await start("coordinator", ["check", "--config-only"], env);
  assert.equal(await alone.ended, 0);
});

test("a coordinator.yaml with a password that others can read is refused, by its check and its start", async () => {
  await using made = await folderWith(
    "database: { url: postgresql://me:hunter2@127.0.0.1/fleet }\n",
  );
  const args = ["--config", made.config];
  await chmod(made.config, 0o644);
  for (const command of ["check", "run"]) {
    await using exposed = await start("coordinator", [command, ...args]);
    assert.equal(await exposed.ended, 78);
    assert.match(
      exposed.output(),
      /database\.url is a password: others may use it, its mode is 644; chmod 600 \S+/,
    );
    assert.doesNotMatch(exposed.output(), /hunter2/);
  }
  await chmod(made.config, 0o600);
  await using taken = await start("coordinator", ["check", "--config-only", ...args]);
  assert.equal(await taken.ended, 0, taken.output());
});
