import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "../harness/eventually.ts";
import { needsGuests } from "../harness/guests.ts";
import { createAttacks, type Attacks } from "./attacks.ts";
import { createDeployedFleet, type DeployedFleet } from "./deployed-fleet.ts";

describe(
  "the journal, which agents read unless they are told of a log",
  { skip: needsGuests },
  () => {
    let fleet: DeployedFleet;
    let attacks: Attacks;
    before(async () => {
      fleet = await createDeployedFleet({
        guests: { centre: "bookworm", mx1: "bookworm", mx2: "trixie" },
        mailHosts: ["mx1", "mx2"],
        nats: ["centre"],
        coordinators: ["centre"],
      });
      attacks = createAttacks(fleet);
      const { code, stdout, stderr } = await fleet.ansible.play("site");
      assert.equal(code, 0, stdout + stderr);
    });
    after(() => fleet[Symbol.asyncDispose]());

    /** One that no ban keeps from failing again. */
    async function newAttacker(): Promise<string> {
      const from = await attacks.newAddress();
      assert.equal((await fleet.cli("allow", "add", from)).code, 0);
      return from;
    }

    async function reboot(): Promise<void> {
      for (const host of fleet.mailHosts) {
        await host.reboot();
        await eventually(`${host.name} serves its users`, () => attacks.logsIn(host));
      }
    }

    test("agents in their unit's sandbox read it, on Debian 12 and 13", async () => {
      for (const host of fleet.mailHosts) {
        const sandbox = await host.run("systemctl", [
          "show",
          "fleetban-agent",
          "--property=ProtectSystem",
        ]);
        assert.equal(sandbox, "ProtectSystem=strict\n");
        const sources = await host.run("grep", ["unit:", "/etc/fleetban/agent.yaml"]);
        assert.match(sources, /dovecot\.service/);
      }
      const from = await newAttacker();
      await attacks.guess(from, 2);
      await attacks.untilRecorded(from, 2);
    });

    test("failures before and after a reboot are counted", async () => {
      const from = await newAttacker();
      await attacks.guess(from, 2);
      await attacks.untilRecorded(from, 2);
      await reboot();
      await attacks.guess(from, 2);
      await attacks.untilRecorded(from, 4);
    });

    test("failures that no agent could publish before a reboot are counted after it, each once", async () => {
      const centre = fleet.guests.guest("centre");
      const from = await newAttacker();
      for (const host of fleet.mailHosts) await host.run("systemctl", ["stop", "fleetban-agent"]);
      await attacks.guess(from, 2);
      await centre.run("systemctl", ["stop", "nats-server"]);
      await reboot();
      await attacks.guess(from, 2);
      await centre.run("systemctl", ["start", "nats-server"]);
      await attacks.untilRecorded(from, 4);
    });
  },
);
