/** What daemons and CLI do where credentials or certificates are wrong, and as these are renewed. */
import assert from "node:assert/strict";
import {
  appendFile,
  chmod,
  copyFile,
  mkdir,
  readFile,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DeliverPolicy } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { createAuthority, issueCertificate } from "../../services/cli/key/authority.ts";
import { createDuplicateFilter } from "../../services/coordinator/decide/duplicate-filter.ts";
import { ensureStreams } from "../../services/coordinator/upkeep/ensure-streams.ts";
import { natsOptions } from "../../services/nats/connect.ts";
import { followStream } from "../../services/nats/follow-stream.ts";
import { createLog } from "../../services/process/log.ts";
import { decodeFailureBatch } from "../../services/wire/failure.ts";
import { FAILURES_STREAM } from "../../services/wire/subjects.ts";
import { eventually } from "../harness/eventually.ts";
import { failedLogin } from "../harness/failed-login.ts";
import { startSecuredFleet, type SecuredFleet } from "../harness/secured-fleet.ts";
import { cliOf, startSecuredAgent, startSecuredCoordinator } from "../harness/secured-programs.ts";
import { fleetban } from "../harness/fleetban.ts";

const YEAR_MS = 365 * 86_400_000;
const ADDRESS = "198.51.100.7";

let fleet: SecuredFleet;
before(async () => {
  fleet = await startSecuredFleet();
});
after(() => fleet[Symbol.asyncDispose]());

/** Gives the server another certificate and reloads it. */
async function certify(names: readonly string[], from: number, until: number): Promise<void> {
  const [certificate, key] = await Promise.all(
    ["ca.pem", "ca.key"].map((file) => readFile(join(fleet.folder, file), "utf8")),
  );
  const authority = { certificate: certificate!, key: key! };
  const pair = await issueCertificate(authority, "n1", names, { from, until });
  await writeFile(join(fleet.folder, "servers/n1.crt"), pair.certificate, { mode: 0o600 });
  await writeFile(join(fleet.folder, "servers/n1.key"), pair.key, { mode: 0o600 });
  await reload();
}

const reloads = () => fleet.server.log().match(/Reloaded server configuration/g)?.length ?? 0;

async function reload(): Promise<void> {
  const before = reloads();
  fleet.server.reload();
  await eventually("the server has reloaded", () => reloads() > before);
}

for (const { what, names, from, until, words } of [
  {
    what: "is for another host name",
    names: ["nats.example.org"],
    ...{ from: -YEAR_MS, until: YEAR_MS },
    words: /certificate is not for [^ ]+ but for DNS:nats\.example\.org: use a name that it has/,
  },
  {
    what: "has expired, or so a clock that is years ahead says",
    names: ["127.0.0.1"],
    ...{ from: -3 * YEAR_MS, until: -2 * YEAR_MS },
    words: /certificate has expired; this machine's clock says \d{4}-[^ ]+: if that is right,/,
  },
  {
    what: "is not valid yet, or so a clock that is years behind says",
    names: ["127.0.0.1"],
    ...{ from: 2 * YEAR_MS, until: 3 * YEAR_MS },
    words: /certificate is not valid yet; this machine's clock says \d{4}-[^ ]+: set the clock/,
  },
]) {
  test(`a server's certificate that ${what}: said in one line, tried again until it is right`, async () => {
    await certify(names, Date.now() + from, Date.now() + until);
    const name = `trust-${names[0]!.length}-${from > 0 ? "late" : "early"}${until > 0 ? "" : "-over"}`;
    const operator = await fleet.credentials("operator", name);
    const { code, stderr } = await cliOf(fleet, operator)("status");
    assert.match(stderr, new RegExp(`^fleetban: NATS at [^\\n]*${words.source}[^\\n]*\\n$`));
    assert.equal(code, 77);
    const creds = await fleet.credentials("coordinator", name);
    await using coordinator = await startSecuredCoordinator(fleet, name, { creds });
    const lines = () => coordinator.log().split("\n");
    const told = () => lines().filter((line) => words.test(line));
    await eventually("the coordinator says so", () => told().length > 0);
    assert.match(await coordinator.readyz(), words);
    await certify(["127.0.0.1"], Date.now() - YEAR_MS, Date.now() + YEAR_MS);
    await eventually("it connects", () => coordinator.log().includes("connected to NATS"), 20);
    assert.equal(told().length, 1);
  });
}

test("the wrong authority is named with its file, and its replacement needs no restart", async () => {
  const validity = { from: Date.now() - YEAR_MS, until: Date.now() + YEAR_MS };
  const other = await createAuthority("somebody else", validity);
  const ca = join(fleet.folder, "other-ca.pem");
  await writeFile(ca, other.certificate);
  const creds = await fleet.credentials("agent", "mx-ca");
  const operator = await fleet.credentials("operator", "dora");
  const env = { NATS_URL: fleet.url, FLEETBAN_NATS_CREDS: operator };
  for (const [given, words] of [
    [
      { FLEETBAN_NATS_CA: ca },
      /other-ca\.pem: is not who has signed the NATS server's certificate/,
    ],
    [{}, /nobody whom this system knows has signed .*: set nats\.ca/],
  ] as const) {
    const { code, stderr } = await fleetban(["status"], { ...env, ...given });
    assert.match(stderr, words);
    assert.equal(code, 77);
  }
  await using agent = await startSecuredAgent(fleet, "mx-ca", { creds, nats: { ca } });
  await eventually("the agent says so", () =>
    /other-ca\.pem: is not who has signed/.test(agent.log()),
  );
  await copyFile(fleet.ca, ca);
  await eventually("it connects", () => agent.log().includes("connected to NATS"), 20);
});

test("credentials that cannot be used end a daemon with 78, and the CLI, with the file and why", async () => {
  const good = await fleet.credentials("agent", "mx-creds");
  const bad = join(fleet.folder, "bad.creds");
  for (const [prepare, words] of [
    [() => rm(bad, { force: true }), /bad\.creds: cannot be read: no such file/],
    [
      () => writeFile(bad, "nonsense", { mode: 0o600 }),
      /bad\.creds: holds no credentials, expected/,
    ],
    [
      async () => {
        await copyFile(good, bad);
        await chmod(bad, 0o644);
      },
      /bad\.creds: others may use it, its mode is 644; chmod 600 /,
    ],
  ] as const) {
    await prepare();
    await using agent = await startSecuredAgent(fleet, "mx-creds", { creds: bad });
    assert.equal(await agent.child().ended, 78);
    assert.match(agent.log(), words);
    const { code, stderr } = await cliOf(fleet, bad)("status");
    assert.match(stderr, new RegExp(`^fleetban: [^\\n]*${words.source}[^\\n]*\\n$`));
    assert.equal(code, 78);
  }
  await chmod(bad, 0o640); // root:fleetban-agent
  await using other = await startSecuredAgent(fleet, "mx-other", { creds: bad });
  assert.equal(await other.child().ended, 78);
  assert.match(
    other.log(),
    /bad\.creds: these are the credentials of mx-creds, this host is mx-other/,
  );
});

test("credentials of another fleet are refused: 77, and a daemon keeps trying until it has its own", async () => {
  await using stranger = await startSecuredFleet();
  const theirs = await stranger.credentials("operator", "eve");
  const { code, stderr } = await cliOf(fleet, theirs)("status");
  assert.match(
    stderr,
    /eve\.creds: the NATS server refuses the credentials of eve: they were revoked/,
  );
  assert.equal(code, 77);
  const file = await stranger.credentials("agent", "mx-stranger");
  await using agent = await startSecuredAgent(fleet, "mx-stranger", { creds: file });
  await eventually("the agent says so", () =>
    /mx-stranger\.creds: the NATS server refuses/.test(agent.log()),
  );
  await rename(await fleet.credentials("agent", "mx-stranger"), file);
  await eventually("it connects", () => agent.log().includes("connected to NATS"), 20);
});

test("credentials that run out, and a server's certificate that is renewed, lose no failure", async () => {
  const own = await fleet.credentials("coordinator", "watcher");
  const options = await natsOptions({ url: fleet.url, ca: fleet.ca, creds: own }, "watcher");
  const watcher = await connect(options);
  await ensureStreams(watcher, { longestFindtime: 1200, replicas: 1, failuresMaxBytes: 2 ** 26 });
  let seen = createDuplicateFilter(Date.now);
  let users: (string | undefined)[] = [];
  const follower = {
    begin() {
      [seen, users] = [createDuplicateFilter(Date.now), []];
    },
    message({ data, subject }: { data: Uint8Array; subject: string }) {
      users.push(...seen.take(decodeFailureBatch(data, subject)).map(({ user }) => user));
    },
    caughtUp() {},
  };
  const all = () => ({ deliver_policy: DeliverPolicy.All });
  followStream(
    {
      connection: watcher,
      stream: FAILURES_STREAM,
      startFrom: all,
      log: createLog("test", "silent"),
    },
    follower,
  );

  await fleet.key(["agent", "mx-renew", "--for", "4s"]);
  const creds = join(fleet.folder, "agents/mx-renew.creds");
  const mailLog = join(fleet.folder, "..", "agent-mx-renew", "mail.log");
  await mkdir(join(mailLog, ".."), { recursive: true });
  let written = 0;
  const fail = async (count: number) => {
    for (let index = 0; index < count; index += 1) {
      await appendFile(mailLog, failedLogin({ address: ADDRESS, user: `user${written}` }));
      written += 1;
    }
  };
  await fail(50);
  await using agent = await startSecuredAgent(fleet, "mx-renew", { creds });
  const arrived = (count: number) =>
    eventually(`${count} are published`, () => new Set(users).size >= count, 30);
  await eventually("they have run out", () => agent.log().includes("have expired, at"), 20);
  await fail(50);
  await fleet.key(["operator", "late", "--for", "1s"]);
  const late = cliOf(fleet, join(fleet.folder, "operators/late.creds"));
  const refused = await eventually("the CLI is refused", async () => {
    const answer = await late("status");
    return answer.code === 77 && answer;
  });
  assert.match(refused.stderr, /late\.creds: the credentials of late have expired, at /);
  await fleet.key(["agent", "mx-renew", "--renew"]);
  await arrived(written);

  await fail(25);
  await fleet.key(["server", "n1", "--renew"]);
  await reload();
  await fail(25);
  await arrived(written);
  // Whoever connects from now on sees the new one.
  await fleet.server.stop();
  await fail(25);
  await fleet.server.start();
  await fail(25);
  await eventually("all of them are published", () => new Set(users).size === written, 30);
  assert.equal(users.length, written, "each once");
  await watcher.close();
});
