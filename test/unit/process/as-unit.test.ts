import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { settingsOf, whyHidden } from "../../../services/process/as-unit.ts";

test("a unit's user and sandbox are taken over, how it starts and ends is not", () => {
  const unit = join(import.meta.dirname, "../../../deploy/systemd/fleetban-agent.service");
  const dropIn = "# /etc/systemd/system/x.conf\n[Service]\nSupplementaryGroups = mail\n";
  const settings = settingsOf(`${readFileSync(unit, "utf8")}\n${dropIn}`);
  for (const wanted of [
    "User=fleetban-agent",
    "AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW",
    "ProtectHome=yes",
    "SystemCallFilter=@system-service @pkey",
    "SystemCallFilter=~@privileged @resources",
    "SupplementaryGroups=mail",
  ]) {
    assert.ok(settings.includes(wanted), wanted);
  }
  const names = new Set(settings.map((setting) => setting.slice(0, setting.indexOf("="))));
  for (const name of ["Type", "ExecStart", "ExecStartPre", "Restart", "WatchdogSec", "After"]) {
    assert.ok(!names.has(name), name);
  }
});

test("a setting may go over several lines", () => {
  assert.deepEqual(settingsOf("[Service]\nReadWritePaths=/a \\\n  /b\n"), ["ReadWritePaths=/a /b"]);
});

test("what a sandbox does not see is named", () => {
  assert.match(whyHidden("/root/agent.yaml") ?? "", /copy \/root\/agent\.yaml to \/etc\/fleetban/);
  assert.equal(whyHidden("/etc/fleetban/agent.yaml"), undefined);
});
