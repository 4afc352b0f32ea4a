import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createSavedSettings, readLastSettings } from "../../../services/agent/saved-settings.ts";
import { createStateHealth } from "../../../services/agent/state/state-health.ts";
import { createSparedAddresses } from "../../../services/agent/spared-addresses.ts";
import { createLog } from "../../../services/process/log.ts";
import { parseAddress, parseNetwork } from "../../../services/wire/address.ts";
import type { Allowed, Machine } from "../../../services/wire/settings.ts";
import { eventually } from "../../harness/eventually.ts";
import { JAIL } from "../../harness/jail.ts";

const OFFICE: Allowed = {
  ...{ v: 1, address: parseNetwork("192.0.2.0/24")!, comment: "office" },
  ...{ addedAt: 1_790_000_000_000, by: "alice", origin: "operator" },
};
const OTHER_HOST: Machine = {
  ...{ v: 1, seenAt: 1_790_000_000_000 },
  addresses: [{ address: parseAddress("198.51.100.2")!, what: "host mx2" }],
};

test("jails, allowlist and machines of the fleet outlast a restart without NATS", async () => {
  const stateDir = await mkdtemp(join(tmpdir(), "fleetban-settings-"));
  try {
    assert.equal((await readLastSettings(stateDir)).hasPolicy, false);
    const saved = createSavedSettings({
      ...{ stateDir, jails: () => [{ ...JAIL, maxretry: 3 }] },
      state: createStateHealth(stateDir, createLog("test", "silent")),
      ...{ allowed: () => [OFFICE], machines: () => [OTHER_HOST] },
    });
    saved.jailsChanged();
    saved.sparedChanged();
    const last = await eventually("they are on disk", async () => {
      const read = await readLastSettings(stateDir);
      return read.hasPolicy && read.allowed.length > 0 && read;
    });
    assert.deepEqual(last.jails, [{ ...JAIL, maxretry: 3 }]);
    const spared = createSparedAddresses(last);
    const inOffice = parseAddress("192.0.2.7")!;
    const [machine] = OTHER_HOST.addresses;
    assert.equal(spared.allowed(inOffice, JAIL.name)?.comment, "office");
    assert.equal(spared.machineAt(machine!.address), "host mx2");
    spared.forgetLast(); // the bucket has neither
    assert.equal(spared.allowed(inOffice, JAIL.name), undefined);
    assert.equal(spared.machineAt(machine!.address), undefined);
  } finally {
    await rm(stateDir, { recursive: true });
  }
});

test("a machine that has new addresses is spared with these alone", () => {
  const spared = createSparedAddresses({ allowed: [], machines: [] });
  const [before, after] = ["198.51.100.2", "198.51.100.3"].map((text) => parseAddress(text)!);
  spared.setMachine("machine.host.mx2", OTHER_HOST);
  assert.equal(spared.machineAt(before!), "host mx2");
  const addresses = [{ address: after!, what: "host mx2" }];
  spared.setMachine("machine.host.mx2", { ...OTHER_HOST, addresses });
  assert.deepEqual([before!, after!].map(spared.machineAt), [undefined, "host mx2"]);
  spared.deleteMachine("machine.host.mx2");
  assert.equal(spared.machineAt(after!), undefined);
});

test("settings that cannot be written are reported, and written as soon as they can be", async () => {
  const parent = await mkdtemp(join(tmpdir(), "fleetban-settings-"));
  const stateDir = join(parent, "gone");
  try {
    const state = createStateHealth(stateDir, createLog("test", "silent"));
    const saved = createSavedSettings({
      ...{ stateDir, state, jails: () => [JAIL], allowed: () => [], machines: () => [] },
    });
    saved.jailsChanged();
    await eventually("it is reported", () => state.trouble() !== undefined);
    assert.equal(state.trouble(), `${stateDir}: the folder is gone`);
    await mkdir(stateDir);
    await eventually("it is written", async () => (await readLastSettings(stateDir)).hasPolicy);
    await eventually("nothing is reported", () => state.trouble() === undefined);
  } finally {
    await rm(parent, { recursive: true });
  }
});
