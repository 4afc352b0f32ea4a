import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../../../../../services/agent/enforce/firewall/command.ts";
import { EXIT, explainExit } from "../../../../../services/process/exit.ts";

test("a firewall command that fails ends the agent as a service that cannot be used, not as a bug", async () => {
  const failed = await run("false", []).catch((error: unknown) => error);
  assert.equal(explainExit("fleetban-agent", failed), EXIT.unavailable);
  const missing = await run("there-is-no-such-program", []).catch((error: unknown) => error);
  assert.equal(explainExit("fleetban-agent", missing), EXIT.unavailable);
});
