/** NATS with a certificate of the administrator's own, of an authority that is not the fleet's. */
import assert from "node:assert/strict";
import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Reply } from "../../services/wire/api.ts";
import { eventually } from "../harness/eventually.ts";
import { failedLogin } from "../harness/failed-login.ts";
import { fleetban } from "../harness/fleetban.ts";
import { createOwnAuthority, type OwnAuthority } from "../harness/openssl.ts";
import { startSecuredFleet, type SecuredFleet } from "../harness/secured-fleet.ts";
import { startSecuredAgent, startSecuredCoordinator } from "../harness/secured-programs.ts";

const RIGHT = "IP:127.0.0.1,DNS:nats.example.org";
const ADDRESS = "198.51.100.7";

let fleet: SecuredFleet;
let own: OwnAuthority;
let operator: string;
before(async () => {
  fleet = await startSecuredFleet();
  own = await createOwnAuthority(join(fleet.folder, ".."), "example");
  operator = await fleet.credentials("operator", "alice");
  await certify(own, RIGHT, 30);
});
after(() => fleet[Symbol.asyncDispose]());

const reloads = () => fleet.server.log().match(/Reloaded server configuration/g)?.length ?? 0;

/** Gives the server a certificate, as the administrator does, and reloads it. */
async function certify(authority: OwnAuthority, names: string, days: number): Promise<void> {
  const { certificate, key } = await authority.sign(names, days);
  const pair = ["--certificate", certificate, "--private-key", key];
  await fleet.key(["server", "n1", "--renew", ...pair, "--authority", authority.file]);
  const before = reloads();
  fleet.server.reload();
  await eventually("the server has reloaded", () => reloads() > before);
}

/** `fleetban status` by a client.yaml. */
async function askStatus(ca: string, json = false) {
  const home = join(fleet.folder, "..", "home");
  await mkdir(join(home, ".config/fleetban"), { recursive: true });
  const nats = JSON.stringify({ url: fleet.url, ca, creds: operator });
  await writeFile(join(home, ".config/fleetban/client.yaml"), `nats: ${nats}\n`);
  return fleetban(["status", ...(json ? ["--json"] : [])], { HOME: home });
}

for (const [what, authority, names, days, words] of [
  [
    "of somebody else's authority",
    "stranger",
    RIGHT,
    30,
    /example-ca\.pem: is not who has signed the NATS server's certificate: expected the certificate of that authority/,
  ],
  [
    "for another host name",
    "example",
    "DNS:other.example.org",
    30,
    /certificate is not for [^ ]+ but for DNS:other\.example\.org: use a name that it has/,
  ],
  ["that has expired", "example", RIGHT, -1, /certificate has expired; this machine's clock says /],
] as const) {
  test(`a certificate ${what}: one line and 77 for the CLI, daemons try until it is right`, async () => {
    const stranger = await createOwnAuthority(join(fleet.folder, ".."), "stranger");
    await certify(authority === "example" ? own : stranger, names, days);
    const { code, stderr } = await askStatus(own.file);
    assert.match(stderr, new RegExp(`^fleetban: NATS at [^\\n]*${words.source}[^\\n]*\\n$`));
    assert.equal(code, 77);
    const name = what.replaceAll(/\W+/g, "-");
    const nats = { ca: own.file };
    const creds = await fleet.credentials("coordinator", name);
    await using coordinator = await startSecuredCoordinator(fleet, name, { creds, nats });
    const agentCreds = await fleet.credentials("agent", name);
    await using agent = await startSecuredAgent(fleet, name, { creds: agentCreds, nats });
    for (const daemon of [coordinator, agent]) {
      const told = () =>
        daemon
          .log()
          .split("\n")
          .filter((line) => words.test(line)).length;
      await eventually("it says so", () => told() > 0);
      assert.equal(told(), 1);
    }
    await certify(own, RIGHT, 30);
    for (const daemon of [coordinator, agent]) {
      await eventually("it connects", () => daemon.log().includes("connected to NATS"), 20);
    }
    await eventually("the CLI is answered", async () => (await askStatus(own.file)).code === 0);
  });
}

test("a certificate that is renewed: no failure is lost, and who connects sees the new one", async () => {
  const nats = { ca: own.file };
  const creds = await fleet.credentials("coordinator", "c1");
  await using coordinator = await startSecuredCoordinator(fleet, "c1", { creds, nats });
  await eventually("it is ready", () => coordinator.log().includes("coordinator is ready"), 30);
  const agentCreds = await fleet.credentials("agent", "mx1");
  await using agent = await startSecuredAgent(fleet, "mx1", { creds: agentCreds, nats });
  const counted = async () => {
    const { code, stdout } = await askStatus(own.file, true);
    return code === 0 ? (JSON.parse(stdout) as Reply<"status.show">).failures : -1;
  };
  let written = 0;
  const fail = async (count: number) => {
    const lines = Array.from({ length: count }, () => failedLogin({ address: ADDRESS }));
    await appendFile(join(agent.folder, "mail.log"), lines.join(""));
    written += count;
  };
  await fail(20);
  await eventually("20 are counted", async () => (await counted()) === written, 30);
  await fail(20);
  await certify(own, RIGHT, 20);
  await fail(20);
  await eventually("60 are counted", async () => (await counted()) === written, 30);
  await fleet.server.stop();
  await fail(20);
  await fleet.server.start();
  await fail(20);
  await eventually("all are counted", async () => (await counted()) >= written, 40);
  assert.equal(await counted(), written, "each once");
});
