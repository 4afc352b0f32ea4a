/** What waits after an installation: `fleetban host wait`, `fleetban-coordinator ready`. */
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { run } from "../../services/agent/enforce/firewall/command.ts";
import { eventually } from "../harness/eventually.ts";
import { startSecuredFleet, type SecuredFleet } from "../harness/secured-fleet.ts";
import {
  cliOf,
  startSecuredAgent,
  startSecuredCoordinator,
  type SecuredProgram,
} from "../harness/secured-programs.ts";

const PROGRAM = resolve(import.meta.dirname, "../../dist/services/coordinator/main.js");

describe("waiting for a fleet", () => {
  let fleet: SecuredFleet;
  let coordinator: SecuredProgram;
  let cli: ReturnType<typeof cliOf>;
  before(async () => {
    fleet = await startSecuredFleet();
    const creds = await fleet.credentials("coordinator", "c1");
    coordinator = await startSecuredCoordinator(fleet, "c1", { creds });
    cli = cliOf(fleet, await fleet.credentials("operator", "alice"));
    await eventually("it answers", async () => (await cli("host", "list")).code === 0, 30);
  });
  after(async () => {
    await coordinator[Symbol.asyncDispose]();
    await fleet[Symbol.asyncDispose]();
  });

  test("ends with one sentence when the fleet does not see the host", async () => {
    const { code, stdout, stderr } = await cli("host", "wait", "mx9", "--for", "1s");
    assert.deepEqual([code, stdout], [69, ""]);
    assert.match(
      stderr,
      /^fleetban: mx9: not well after 1s: the fleet has not heard of it; [^\n]+\n$/,
    );
  });

  test("goes on while NATS is started again, until the host is well", async () => {
    await fleet.server.stop();
    const waiting = cli("host", "wait", "mx1", "--for", "60s");
    await mkdir(join(fleet.folder, "..", "agent-mx1"), { recursive: true });
    const creds = await fleet.credentials("agent", "mx1");
    await fleet.server.start();
    await using agent = await startSecuredAgent(fleet, "mx1", { creds });
    const { code, stdout, stderr } = await waiting;
    assert.equal(code, 0, stderr + agent.log());
    assert.equal(stdout, "mx1 is up and has every ban in force\n");
    const later = await cli("host", "wait", "mx1", "--for", "1s", "--agent-version", "9.9.9");
    assert.match(
      later.stderr,
      /^fleetban: mx1: not well .*: its agent is version \S+, expected 9\.9\.9\n$/,
    );
    const json = await cli("host", "wait", "mx1", "--json");
    assert.match(json.stdout, /"host": "mx1"/);
  });

  test("a coordinator says why it is not ready", async () => {
    const config = ["--config", join(coordinator.folder, "config.yaml")];
    await assert.rejects(
      run(process.execPath, [PROGRAM, ...config, "ready", "--for", "1s"]),
      /fleetban-coordinator: the coordinator is not ready: PostgreSQL cannot be reached yet$/,
    );
    await coordinator.stop();
    await assert.rejects(
      run(process.execPath, [PROGRAM, ...config, "ready"]),
      /is not ready: it does not answer at 127\.0\.0\.1:\d+ \(http\.listen\); its log says why/,
    );
  });
});
