import assert from "node:assert/strict";
import { test } from "node:test";
import {
  FirewallError,
  inPieces,
  run,
} from "../../../../../services/agent/enforce/firewall/command.ts";
import { EXIT, explainExit } from "../../../../../services/process/exit.ts";

test("a script of many lines arrives whole, piece by piece", async () => {
  const lines = Array.from({ length: 10_000 }, (_, n) => `add fleetban-dovecot-4 10.0.${n}`);
  assert.ok([...inPieces(lines)].length > 10);
  assert.equal(await run("cat", [], inPieces(lines)), `${lines.join("\n")}\n`);
});

test("a command that reads no script to its end says why", async () => {
  const lines = Array.from({ length: 100_000 }, () => "add fleetban-dovecot-4 192.0.2.1");
  await assert.rejects(run("false", [], inPieces(lines)), /^FirewallError: false: exit 1/);
});

test("a script that cannot be made ends the command, and is an error", async () => {
  function* script() {
    yield "add fleetban-dovecot-4 192.0.2.1";
    throw new FirewallError('"x": not an address in canonical spelling');
  }
  await assert.rejects(run("cat", [], inPieces(script())), /"x": not an address/);
});

test("a firewall command that fails ends the agent as a service that cannot be used, not as a bug", async () => {
  const failed = await run("false", []).catch((error: unknown) => error);
  assert.equal(explainExit("fleetban-agent", failed), EXIT.unavailable);
  const missing = await run("there-is-no-such-program", []).catch((error: unknown) => error);
  assert.equal(explainExit("fleetban-agent", missing), EXIT.unavailable);
});
