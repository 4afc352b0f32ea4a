import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "../harness/eventually.ts";
import { needsGuests } from "../harness/guests.ts";
import { createAttacks, type Attacks } from "./attacks.ts";
import { createDeployedFleet, type DeployedFleet } from "./deployed-fleet.ts";

const SERVERS = ["n1", "n2", "n3"] as const;

/** NATS's routes, whichever of two servers has opened one, and its clients. */
const [ROUTES, CLIENTS] = ["sport = :6222 or dport = :6222", "sport = :4222"] as const;

describe("three NATS servers that Ansible makes a cluster", { skip: needsGuests }, () => {
  let fleet: DeployedFleet;
  let attacks: Attacks;
  before(async () => {
    fleet = await createDeployedFleet({
      guests: { n1: "bookworm", n2: "trixie", n3: "bookworm", mx1: "bookworm" },
      mailHosts: ["mx1"],
      nats: SERVERS,
      coordinators: ["mx1"],
    });
    attacks = createAttacks(fleet);
  });
  after(() => fleet[Symbol.asyncDispose]());

  const attack = async () => {
    const from = await attacks.newAddress();
    await attacks.guess(from, 5);
    await attacks.untilBanned(from);
    return from;
  };
  const connections = async (name: string, filter: string) => {
    const args = ["-Htn", "state", "established", filter];
    return (await fleet.guests.guest(name).run("ss", args)).split("\n").filter(Boolean).length;
  };

  test("one run makes it, a second run changes nothing", async () => {
    const first = await fleet.ansible.play("site");
    assert.equal(first.code, 0, first.stdout + first.stderr);
    const second = await fleet.ansible.play("site");
    assert.equal(second.code, 0, second.stdout + second.stderr);
    for (const [host, { changed }] of Object.entries(second.recap)) assert.equal(changed, 0, host);
  });

  test("its servers know each other, and keep three copies of every stream", async () => {
    for (const name of SERVERS) {
      await eventually(`${name} has routes`, async () => (await connections(name, ROUTES)) > 0);
      // A copy is a folder of the stream's own, in the fleet's account.
      const streams = await eventually(`${name} has every stream`, async () => {
        const find = ["/var/lib/fleetban-nats/jetstream", "-path", "*/streams/*", "-prune"];
        const found = await fleet.guests.guest(name).run("find", [...find, "-printf", "%f\n"]);
        const names = found.split("\n").filter(Boolean).sort();
        return names.length >= 4 && names;
      });
      const expected = ["FLEETBAN_FAILURES", "KV_fleetban_bans", "KV_fleetban_lease"];
      assert.deepEqual(streams, [...expected, "KV_fleetban_settings"]);
    }
  });

  test("each of them may be lost, the fleet goes on; it comes back, and has what it missed", async () => {
    const banned = [await attack()];
    for (const name of SERVERS) {
      const guest = fleet.guests.guest(name);
      await guest.crash();
      banned.push(await attack());
      await fleet.guests.network.renew(name);
      await guest.boot();
      await eventually(`${name} is back`, async () => (await connections(name, ROUTES)) > 0, 30);
      // The next one is lost only then: two of three must be there.
      banned.push(await attack());
    }
    const [mx1] = fleet.mailHosts;
    for (const from of banned) assert.equal(await attacks.connects(from, mx1!), false, from);
    const { bans } = await fleet.ask<{ bans: { address: string }[] }>("ban", "list");
    assert.deepEqual(bans.map(({ address }) => address).sort(), banned.sort());
    const clients = await Promise.all(SERVERS.map((name) => connections(name, CLIENTS)));
    assert.ok(clients.some((count) => count > 0));
  });
});
