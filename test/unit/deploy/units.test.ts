/** The units' sandbox, as systemd itself rates it: 0 is locked in, 10 may do everything. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";

const FOLDER = resolve(import.meta.dirname, "../../../deploy/systemd");
const UNITS = ["fleetban-agent.service", "fleetban-coordinator.service"];

for (const unit of UNITS) {
  test(`systemd-analyze security rates ${unit} at 2.0 at most`, (t) => {
    const args = ["security", "--offline=true", "--no-pager", join(FOLDER, unit)];
    const output = execFileSync("systemd-analyze", args, { encoding: "utf8", stdio: "pipe" });
    const verdict = /Overall exposure level for \S+: ([\d.]+)/.exec(output);
    t.diagnostic(verdict?.[0] ?? output);
    assert.ok(Number(verdict?.[1]) <= 2.0, output);
  });
}

test("only the agent has capabilities, and no more than the firewall's tools need", () => {
  const capabilities = UNITS.map((unit) => {
    const text = readFileSync(join(FOLDER, unit), "utf8");
    return ["AmbientCapabilities", "CapabilityBoundingSet"].map(
      (name) => new RegExp(`^${name}=(.*)$`, "m").exec(text)?.[1],
    );
  });
  const needed = "CAP_NET_ADMIN CAP_NET_RAW";
  assert.deepEqual(capabilities, [
    [needed, needed],
    ["", ""],
  ]);
});
