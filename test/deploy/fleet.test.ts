import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { eventually } from "../harness/eventually.ts";
import { needsGuests, type Guest } from "../harness/guests.ts";
import type { PlaybookRun } from "./ansible.ts";
import { createAttacks, type Attacks } from "./attacks.ts";
import { createDeployedFleet, type DeployedFleet } from "./deployed-fleet.ts";
import { makeNextDaemons, type Packages } from "./packages.ts";
import { watchConnections } from "./watch.ts";

interface HostList {
  hosts: {
    host: string;
    state: string;
    current: boolean;
    status: { version: string; firewall: string } | null;
  }[];
}

/** Files of these are not fleetban's to take away: other programs remember what was there. */
const MEMORIES = [
  "/proc",
  "/sys",
  "/run/systemd",
  "/var/log",
  "/var/lib/dpkg",
  "/var/cache",
  "/tmp",
];

describe("a fleet that Ansible deploys to", { skip: needsGuests }, () => {
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
  });
  after(() => fleet[Symbol.asyncDispose]());

  const succeed = (run: PlaybookRun): PlaybookRun => {
    assert.equal(run.code, 0, run.stdout + run.stderr);
    return run;
  };
  const changedBy = ({ recap }: PlaybookRun) =>
    Object.fromEntries(Object.entries(recap).map(([host, { changed }]) => [host, changed]));

  const BANNED = "10.77.0.101";

  test("--check --diff shows what would be done on machines that have nothing, and does nothing", async () => {
    const run = succeed(await fleet.ansible.play("site", "--check", "--diff"));
    for (const host of ["centre", "mx1", "mx2"]) assert.ok((run.recap[host]?.["changed"] ?? 0) > 0);
    assert.ok(!existsSync(fleet.keys));
    for (const guest of fleet.guests.guests) {
      assert.equal(await findTraces(guest), "", guest.name);
      assert.doesNotMatch(await guest.run("dpkg-query", ["-W"]), /nats-server|postgresql/);
    }
  });

  test("one run makes a fleet, and says no secret", async () => {
    const run = succeed(await fleet.ansible.play("site", "--diff", "-v"));
    assert.doesNotMatch(run.stdout + run.stderr, /NKEY SEED|PRIVATE KEY|\bSU[A-Z2-7]{50}/);
    const { hosts } = await fleet.ask<HostList>("host", "list");
    const shown = hosts.map(({ host, state, current, status }) => {
      return [host, state, current, status?.version, status?.firewall];
    });
    assert.deepEqual(shown.sort(), [
      ["mx1", "up", true, fleet.packages.version, "ipset"],
      ["mx2", "up", true, fleet.packages.version, "ipset"],
    ]);
  });

  test("a second run changes nothing", async () => {
    const run = succeed(await fleet.ansible.play("site"));
    assert.deepEqual(changedBy(run), { centre: 0, mx1: 0, mx2: 0 });
  });

  test("who is below maxretry on every host is banned on all of them", async () => {
    const from = await attacks.newAddress();
    assert.equal(from, BANNED);
    await attacks.guess(from, 4);
    for (const host of fleet.mailHosts) assert.equal(await attacks.connects(from, host), true);
    await attacks.guess(from, 1);
    await attacks.untilBanned(from);
    for (const host of fleet.mailHosts) assert.equal(await attacks.logsIn(host), true);
  });

  test("a host that boots has its bans in force before Dovecot listens", async () => {
    const mx2 = fleet.guests.guest("mx2");
    const watch = watchConnections(fleet.attacker, [mx2], BANNED);
    await mx2.reboot();
    await eventually("mx2 serves its users", () => attacks.logsIn(mx2));
    const { opened, tried } = await watch.stop();
    assert.equal(opened, 0, `of ${tried} connections`);
    const started = async (unit: string) => {
      const property = "--property=ActiveEnterTimestampMonotonic";
      return Number(await mx2.run("systemctl", ["show", "--value", property, unit]));
    };
    assert.ok((await started("fleetban-agent.service")) < (await started("dovecot.service")));
    assert.equal(await attacks.connects(BANNED, mx2), false);
  });

  test("a run ends at the first host that the fleet does not see well, the others stay as they are", async () => {
    const [mx1, mx2] = fleet.mailHosts;
    const before = await mx2!.run("cat", ["/etc/fleetban/agent.yaml"]);
    const nowhere = JSON.stringify({
      fleetban_agent_config: { nats: { url: "tls://10.77.0.99:4222" } },
      fleetban_agent_wait: 3,
    });
    const run = await fleet.ansible.play("site", "--limit", "fleetban_agents", "-e", nowhere);
    assert.notEqual(run.code, 0);
    assert.match(run.stdout, /fatal: \[mx1/);
    assert.match(await mx1!.run("cat", ["/etc/fleetban/agent.yaml"]), /10\.77\.0\.99/);
    // The inventory is looked at for all hosts, before anything is changed.
    assert.equal(run.recap["mx2"]?.["changed"], 0);
    assert.equal(await mx2!.run("cat", ["/etc/fleetban/agent.yaml"]), before);
    assert.equal(await attacks.connects(BANNED, mx1!), false);
  });

  /** Upgrades one group while an address goes on guessing: nothing of that may be lost or doubled. */
  async function upgradeUnderAttack(group: string): Promise<Packages> {
    const next = await makeNextDaemons(fleet.packages.version);
    const watch = watchConnections(fleet.attacker, fleet.mailHosts, BANNED);
    const from = await attacks.newAddress();
    // No ban by itself: every failure of it must be counted, and is asked for.
    assert.equal((await fleet.cli("allow", "add", from)).code, 0);
    const stopGuessing = attacks.keepGuessing(from);
    const packages = `fleetban_packages=${next.folder}`;
    const upgrade = fleet.ansible.play("site", "--limit", group, "-e", packages);
    const run = await upgrade.catch((error: unknown) => ({ error }));
    const attempts = await stopGuessing();
    if ("error" in run) throw run.error;
    succeed(run);
    const { opened, tried } = await watch.stop();
    assert.equal(opened, 0, `of ${tried} connections`);
    await attacks.untilRecorded(from, attempts);
    return next;
  }

  test("agents are upgraded under attack: no ban lapses, no failure is lost", async () => {
    const next = await upgradeUnderAttack("fleetban_agents");
    const { hosts } = await fleet.ask<HostList>("host", "list");
    for (const { status, current } of hosts) {
      assert.deepEqual([status?.version, current], [next.version, true]);
    }
  });

  test("the coordinator is upgraded under attack: who attacks meanwhile is banned", async () => {
    const before = await fleet.ask<{ startedAt: string }>("status");
    // Half of its failures are told to the old one, half to the new one.
    const from = await attacks.newAddress();
    await attacks.guess(from, 3);
    const next = await upgradeUnderAttack("fleetban_coordinators");
    const after = await fleet.ask<{ version: string; startedAt: string }>("status");
    assert.equal(after.version, next.version);
    assert.ok(after.startedAt > before.startedAt);
    for (const host of fleet.mailHosts) assert.equal(await attacks.connects(from, host), true);
    await attacks.guess(from, 2);
    await attacks.untilBanned(from);
  });

  test("a revoked agent is cut off at once, the others go on", async () => {
    const [mx1, mx2] = fleet.mailHosts;
    const revoked = await fleet.cli("key", "revoke", "mx2", "--dir", fleet.keys);
    assert.equal(revoked.code, 0, revoked.stderr);
    const unheard = await attacks.newAddress();
    await attacks.guess(unheard, 5, [mx2!]);
    // Attacked later, banned: so whatever mx2 had said before would have been decided.
    const from = await attacks.newAddress();
    await attacks.guess(from, 5, [mx1!]);
    await attacks.untilBanned(from, [mx1!]);
    assert.equal(await attacks.connects(from, mx2!), true);
    const list = await fleet.ask<{ bans: unknown[] }>("ban", "list", "--address", unheard);
    assert.deepEqual(list.bans, []);
    // What it knew stays in force, and it says why it knows no more.
    assert.equal(await attacks.connects(BANNED, mx2!), false);
    await eventually("the agent of mx2 says that it is refused", async () => {
      const unit = "--unit=fleetban-agent.service";
      const journal = await mx2!.run("journalctl", [unit, "--output=cat", "--no-pager"]);
      return journal.includes("refuses the credentials of mx2");
    });
  });

  test("the removal leaves nothing behind, no rule and no file", async () => {
    succeed(await fleet.ansible.play("remove", "-e", "fleetban_remove_data=true"));
    for (const guest of fleet.guests.guests) {
      assert.equal(await findTraces(guest), "", guest.name);
    }
    for (const host of fleet.mailHosts) {
      assert.equal(await attacks.connects(BANNED, host), true);
      for (const table of ["iptables-save", "ip6tables-save"]) {
        assert.doesNotMatch(await host.run(table, []), /fleetban/);
      }
      assert.doesNotMatch(await host.run("ipset", ["list", "-n"]), /fleetban/);
    }
    const again = succeed(await fleet.ansible.play("remove", "-e", "fleetban_remove_data=true"));
    assert.deepEqual(changedBy(again), { centre: 0, mx1: 0, mx2: 0 });
  });

  /** Files with fleetban in their name. */
  async function findTraces(guest: Guest): Promise<string> {
    const prune = MEMORIES.flatMap((path) => ["-path", path, "-prune", "-o"]);
    return guest.run("find", ["/", ...prune, "-iname", "*fleetban*", "-print"]);
  }
});
