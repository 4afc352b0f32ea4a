/** What `check` says of NATS's rights, on a real nats-server, and that it stores nothing for it. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { checkNatsRights as checkAgentRights } from "../../services/agent/check/agent-rights-check.ts";
import { agentConfig } from "../../services/agent/agent-config.ts";
import { checkNatsRights as checkCoordinatorRights } from "../../services/coordinator/check/coordinator-rights-check.ts";
import { ensureStreams } from "../../services/coordinator/upkeep/ensure-streams.ts";
import { createCheckReport } from "../../services/nats/check.ts";
import { startSecuredFleet, type SecuredFleet } from "../harness/secured-fleet.ts";

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
  const { text, code } = await reported((report) => checkAgentRights(agent, report));
  assert.equal(code, 0, text);
  assert.match(text, /^ok +NATS rights: may publish failures of jail dovecot$/m);
  assert.match(text, /^ok +NATS rights: may read fleetban_bans$/m);
  const { state } = await (await jetstreamManager(coordinator)).streams.info("FLEETBAN_FAILURES");
  assert.equal(state.last_seq, 0);
});

test("credentials of another role are refused for what they may not do", async () => {
  const { url, ca } = fleet;
  const creds = await fleet.credentials("operator", "alice");
  const asCoordinator = await reported((report) =>
    checkCoordinatorRights({ url, ca, creds }, report),
  );
  assert.equal(asCoordinator.code, 77);
  assert.match(asCoordinator.text, /NATS refuses FLEETBAN_FAILURES, .*must be a coordinator's/);
  const agent = agentConfig.parse({ host: "alice", nats: { url, ca, creds } });
  const asAgent = await reported((report) => checkAgentRights(agent, report));
  assert.equal(asAgent.code, 77);
  assert.equal(asAgent.text.match(/^FAIL +NATS rights: /gm)?.length, 3);
});
