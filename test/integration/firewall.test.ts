import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Firewall } from "../../services/agent/firewall/firewall.ts";
import { createIpsetFirewall } from "../../services/agent/firewall/ipset.ts";
import { ban, FIREWALL_SUITE, JAIL } from "../harness/firewall-suite.ts";
import { createNetwork, needsRoot, type Namespace } from "../harness/netns.ts";

/** Tries something on an ipset firewall in a namespace of its own. */
async function onKernel(check: (firewall: Firewall, host: Namespace) => Promise<void>) {
  await using network = await createNetwork(["mx"]);
  const host = network.host("mx");
  const firewall = createIpsetFirewall({ chains: ["INPUT"], run: host.run, start: host.spawn });
  try {
    await check(firewall, host);
  } finally {
    await firewall.close();
  }
}

describe("the ipset firewall", { skip: needsRoot }, () => {
  for (const [sentence, check] of FIREWALL_SUITE) {
    test(sentence, () => onKernel(check));
  }

  test("shows its chain in INPUT for the jail's ports, as fail2ban does", () =>
    onKernel(async (firewall, host) => {
      await firewall.open([JAIL]);
      for (const iptables of ["iptables", "ip6tables"]) {
        const rules = await host.run(iptables, ["-L", "-n"]);
        assert.match(rules, /Chain INPUT[^]*fleetban-dovecot .*multiport dports 110,995,143,993/);
        assert.match(rules, /Chain fleetban-dovecot[^]*DROP .*match-set fleetban-dovecot-[46] src/);
      }
    }));

  test("puts more than 15 ports into several rules", () =>
    onKernel(async (firewall, host) => {
      const ports = Array.from({ length: 20 }, (_, index) => 1000 + index);
      await firewall.open([{ name: "many", ports }]);
      await firewall.open([{ name: "many", ports }]);
      const hooks = (await host.run("iptables", ["-S", "INPUT"])).match(/-j fleetban-many/g);
      assert.equal(hooks?.length, 2);
    }));

  test("repairs flushed and deleted rules; the sets have kept the bans", () =>
    onKernel(async (firewall, host) => {
      await firewall.open([JAIL]);
      await firewall.ban([ban("198.51.100.7", 600)]);
      const before = await host.run("iptables", ["-S"]);
      await host.run("iptables", ["-F"]);
      const { repaired, bansLost } = await firewall.repair();
      assert.equal(bansLost, false);
      assert.deepEqual(repaired, [
        "iptables: rule of fleetban-dovecot was missing",
        "iptables: INPUT did not lead to fleetban-dovecot",
      ]);
      assert.equal(await host.run("iptables", ["-S"]), before);
      await host.run("iptables", ["-F"]);
      await host.run("iptables", ["-X"]);
      assert.equal((await firewall.repair()).repaired.length, 3);
      assert.equal(await host.run("iptables", ["-S"]), before);
    }));

  test("says that bans are lost when a set was flushed or destroyed", () =>
    onKernel(async (firewall, host) => {
      await firewall.open([JAIL]);
      await firewall.ban([ban("198.51.100.7", 600)]);
      await host.run("ipset", ["flush"]);
      assert.deepEqual(await firewall.repair(), {
        repaired: ["ipset: set fleetban-dovecot-4 was emptied"],
        bansLost: true,
      });
      await host.run("iptables", ["-F"]);
      await host.run("ip6tables", ["-F"]);
      await host.run("ipset", ["destroy"]);
      const { repaired, bansLost } = await firewall.repair();
      assert.equal(bansLost, true);
      assert.ok(repaired.includes("ipset: set fleetban-dovecot-4 was missing"));
      await firewall.replace([ban("198.51.100.7", 600)]);
      assert.equal(await firewall.count(), 1);
    }));

  test("goes on when its ipset process was killed", () =>
    onKernel(async (firewall, host) => {
      await firewall.open([JAIL]);
      await firewall.ban([ban("198.51.100.7", 600)]);
      const pids = (await host.run("ip", ["netns", "pids", host.name])).trim().split("\n");
      const sessions = pids.map(Number).filter((pid) => pid !== process.pid);
      for (const pid of sessions) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          continue; // the `ip` that listed them
        }
      }
      await firewall.ban([ban("198.51.100.8", 600)]).catch(() => {}); // may meet the dying process
      assert.deepEqual(await firewall.ban([ban("198.51.100.8", 600)]), []);
      assert.equal(await firewall.count(), 2);
    }));

  test("takes thousands at once, live and by replacing", () =>
    onKernel(async (firewall) => {
      await firewall.open([JAIL]);
      const bans = Array.from({ length: 5000 }, (_, index) =>
        ban(`10.${index >> 12}.${(index >> 6) & 63}.${index & 63}`, 600),
      );
      assert.deepEqual(await firewall.ban(bans), []);
      assert.equal(await firewall.count(), 5000);
      await firewall.replace(bans.slice(0, 4000));
      assert.equal(await firewall.count(), 4000);
    }));

  test("leaves nothing behind when it is removed", () =>
    onKernel(async (firewall, host) => {
      const before = await host.run("iptables", ["-S"]);
      await firewall.open([JAIL]);
      await firewall.ban([ban("198.51.100.7", 600)]);
      await firewall.remove();
      assert.equal(await host.run("iptables", ["-S"]), before);
      assert.equal(await host.run("ipset", ["list", "-name"]), "");
    }));
});
