/** What `check` says of NATS's rights, on a real nats-server, and that it stores nothing for it. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { checkNatsRights as checkAgentRights } from "../../services/agent/check/agent-rights-check.ts";
import { agentConfig } from "../../services/agent/agent-config.ts";
import { checkNatsRights as checkCoordinatorRights } from "../../services/coordinator/check/coordinator-rights-check.ts";
import { createKnownGood } from "../../services/coordinator/decide/known-good.ts";
import { ensureStreams } from "../../services/coordinator/upkeep/ensure-streams.ts";
import { createCheckReport } from "../../services/nats/check.ts";
import { createLog } from "../../services/process/log.ts";
import { freePort } from "../../services/standalone/child.ts";
import { startNatsServer } from "../../services/standalone/nats-server.ts";
import { rightsOf } from "../../services/wire/rights.ts";
import {
  API_SUBJECTS,
  BANS_BUCKET,
  LEASE_BUCKET,
  LOGINS_STREAM,
  SETTINGS_BUCKET,
} from "../../services/wire/subjects.ts";
import { JAIL } from "../harness/jail.ts";
import { startSecuredFleet, type SecuredFleet } from "../harness/secured-fleet.ts";

const KNOWING = { ...JAIL, knownGood: { factor: 3, within: 3_600 } };
const BUCKETS = [BANS_BUCKET, SETTINGS_BUCKET, LEASE_BUCKET];

let fleet: SecuredFleet;
before(async () => {
  fleet = await startSecuredFleet();
});
after(() => fleet[Symbol.asyncDispose]());

async function reported(check: (report: ReturnType<typeof createCheckReport>) => Promise<void>) {
  let text = "";
  const report = createCheckReport((line) => (text += line));
  await check(report);
  return { text, code: report.code() };
}

test("the rights of agents and coordinators are tried, and nothing is stored", async () => {
  const { url, ca } = fleet;
  const file = await fleet.credentials("coordinator", "c1");
  const coordinator = await fleet.connect(file);
  const first = await reported((report) =>
    checkCoordinatorRights({ url, ca, creds: file }, report),
  );
  assert.deepEqual(first.code, 0, "streams that are missing are made by the first start");
  await ensureStreams(coordinator, {
    longestFindtime: 1200,
    replicas: 1,
    failuresMaxBytes: 2 ** 26,
  });
  const creds = await fleet.credentials("agent", "mx1");
  const agent = agentConfig.parse({ host: "mx1", nats: { url, ca, creds } });
  const { text, code } = await reported((report) => checkAgentRights(agent, [JAIL], report));
  assert.equal(code, 0, text);
  assert.match(text, /^ok +NATS rights: may publish failures of jail dovecot$/m);
  assert.match(text, /^ok +NATS rights: may read fleetban_bans$/m);
  const again = await reported((report) =>
    checkCoordinatorRights({ url, ca, creds: file }, report),
  );
  assert.match(again.text, /^ok +NATS rights: may publish and read all that a coordinator does$/m);
  const manager = await jetstreamManager(coordinator);
  for (const stream of ["FLEETBAN_FAILURES", ...BUCKETS.map((bucket) => `KV_${bucket}`)]) {
    const { state } = await manager.streams.info(stream);
    assert.deepEqual([stream, state.last_seq, state.consumer_count], [stream, 0, 0]);
  }
  assert.doesNotMatch(text, /logins/, "nobody needs a right that no jail asks for");
  const knownGood = createKnownGood({
    ...{ connection: coordinator, replicas: 1, isQuarantined: () => false, now: Date.now },
    log: createLog("test", "silent"),
  });
  await knownGood.follow([KNOWING]);
  const knowing = await reported((report) => checkAgentRights(agent, [KNOWING], report));
  assert.match(knowing.text, /^ok +NATS rights: may publish successful logins$/m);
  assert.equal((await manager.streams.info(LOGINS_STREAM)).state.last_seq, 0);
});

test("a coordinator's account that may not write a bucket, or not listen, is told before the first start", async () => {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-rights-"));
  const port = await freePort();
  const { publish, subscribe } = rightsOf("coordinator", "c1");
  const inbox = [...publish, ...subscribe, "_INBOX.>"];
  const user = (name: string, deny: object) =>
    `{ user: ${name}, password: p, permissions: ${JSON.stringify({
      publish: { allow: inbox, ...deny },
      subscribe: { allow: inbox, ...deny },
    })} }`;
  const users = [
    user("all", {}),
    user("nobans", { deny: [`$KV.${BANS_BUCKET}.>`] }),
    user("deaf", { deny: [API_SUBJECTS] }),
  ];
  const settings = [`authorization { users: [ ${users.join(", ")} ] }`];
  const server = await startNatsServer({ folder, port, settings });
  try {
    const url = `nats://127.0.0.1:${port}`;
    const check = (name: string) =>
      reported((report) => checkCoordinatorRights({ url, user: name, password: "p" }, report));
    assert.equal((await check("all")).code, 0);
    const noBans = await check("nobans");
    assert.equal(noBans.code, 77);
    assert.match(noBans.text, /NATS refuses publish \$KV\.fleetban_bans\.\S+ to these credentials/);
    assert.match((await check("deaf")).text, /NATS refuses subscribe fleetban\.api\.> to these/);
  } finally {
    await server.stop("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  }
});

test("credentials of another role are refused for what they may not do", async () => {
  const { url, ca } = fleet;
  const creds = await fleet.credentials("operator", "alice");
  const asCoordinator = await reported((report) =>
    checkCoordinatorRights({ url, ca, creds }, report),
  );
  assert.equal(asCoordinator.code, 77);
  assert.match(
    asCoordinator.text,
    /NATS refuses publish \$JS\.API\.INFO, .* and \d+ more .*must be a coordinator's/,
  );
  const agent = agentConfig.parse({ host: "alice", nats: { url, ca, creds } });
  const asAgent = await reported((report) => checkAgentRights(agent, [KNOWING], report));
  assert.equal(asAgent.code, 77);
  assert.equal(asAgent.text.match(/^FAIL +NATS rights: /gm)?.length, 4);
});
