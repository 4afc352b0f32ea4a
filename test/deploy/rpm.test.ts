import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { canMakeRpms } from "../../deploy/package/rpm-package.ts";
import { needsGuests, type Guest } from "../harness/guests.ts";
import { createAttacks, type Attacks } from "./attacks.ts";
import { createDeployedFleet, type DeployedFleet } from "./deployed-fleet.ts";
import { installEnterpriseLinux, placeEnterpriseLinux } from "./enterprise-linux.ts";
import { makeNextDaemons, makePackages, type Packages } from "./packages.ts";
import { watchConnections } from "./watch.ts";

const skip = needsGuests || (canMakeRpms() ? false : "needs rpmbuild: deploy/setup deploy");

describe("RPMs, and the roles on a stand-in for Enterprise Linux", { skip }, () => {
  let fleet: DeployedFleet;
  let attacks: Attacks;
  let next: Packages;
  let mx1: Guest;
  let banned: string;

  before(async () => {
    const packages = makePackages();
    next = await makeNextDaemons(packages.version);
    const rpms = [packages, next].flatMap(({ folder }) =>
      readdirSync(folder)
        .filter((name) => name.endsWith(".rpm"))
        .map((name) => join(folder, name)),
    );
    fleet = await createDeployedFleet({
      guests: { centre: "bookworm", mx1: "bookworm" },
      mailHosts: ["mx1"],
      nats: ["centre"],
      coordinators: ["centre"],
      place: (guest) => {
        if (guest.name === "mx1") placeEnterpriseLinux(guest, rpms);
      },
    });
    attacks = createAttacks(fleet);
    mx1 = fleet.guests.guest("mx1");
    await installEnterpriseLinux(mx1);
  });
  after(() => fleet[Symbol.asyncDispose]());

  const play = async (...args: readonly string[]) => {
    const [playbook = "", ...rest] = args;
    const run = await fleet.ansible.play(playbook, ...rest);
    assert.equal(run.code, 0, run.stdout + run.stderr);
    return run;
  };
  const isInstalled = (name: string) => mx1.run("rpm", ["--query", "--qf", "%{VERSION}", name]);

  test("the role installs the RPM with dnf, and the agent bans", async () => {
    await play("site");
    assert.equal(await isInstalled("fleetban-agent"), fleet.packages.version);
    assert.match(await mx1.run("rpm", ["--verify", "fleetban-agent"]), /^$/);
    assert.match(await mx1.run("id", ["fleetban-agent"]), /\(adm\).*\(systemd-journal\)/);
    assert.equal((await mx1.run("systemctl", ["is-enabled", "fleetban-agent"])).trim(), "enabled");
    banned = await attacks.newAddress();
    await attacks.guess(banned, 5);
    await attacks.untilBanned(banned);
  });

  test("a second run changes nothing", async () => {
    const { recap } = await play("site");
    assert.equal(recap["mx1"]?.["changed"], 0);
  });

  test("an upgrade runs the new version, and there is no moment without the ban", async () => {
    const watch = watchConnections(fleet.attacker, [mx1], banned);
    await play("site", "--limit", "fleetban_agents", "-e", `fleetban_packages=${next.folder}`);
    const { opened, tried } = await watch.stop();
    assert.equal(opened, 0, `of ${tried} connections`);
    assert.equal(await isInstalled("fleetban-agent"), next.version);
  });

  test("removed by hand it leaves the ban in force, removed by the role it does not", async () => {
    await mx1.run("rpm", ["--erase", "fleetban-agent"]);
    assert.equal(await attacks.connects(banned, mx1), false);
    await play("site", "--limit", "fleetban_agents");
    assert.equal(await attacks.connects(banned, mx1), false);
    await play("remove", "--limit", "fleetban_agents");
    assert.equal(await attacks.connects(banned, mx1), true);
    await assert.rejects(isInstalled("fleetban-agent"));
    assert.doesNotMatch(await mx1.run("iptables-save", []), /fleetban/);
    await assert.rejects(mx1.run("stat", ["/etc/fleetban/agent.creds"]));
  });
});
