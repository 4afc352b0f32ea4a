/** iptables-legacy and iptables-nft, and what happens when the administrator changes from one to the other. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Run } from "../../services/agent/enforce/firewall/command.ts";
import type { Firewall } from "../../services/agent/enforce/firewall/firewall.ts";
import { createIpsetFirewall } from "../../services/agent/enforce/firewall/ipset/ipset.ts";
import { forwardedPorts } from "../../services/agent/enforce/firewall/published-ports.ts";
import { createIptablesFirewall } from "../../services/agent/enforce/firewall/iptables/iptables.ts";
import {
  firewallHost,
  startVisitor,
  type FirewallHost,
  type Visitor,
} from "../harness/firewall-host.ts";
import { ban, FIREWALL_SUITE } from "../harness/firewall-suite.ts";
import { JAIL } from "../harness/jail.ts";
import { createNetwork, needsRoot, type Namespace, type Network } from "../harness/netns.ts";
import { refusableRun } from "../harness/refusing-firewall.ts";

const KINDS = ["ipset", "iptables"] as const;
const VARIANTS = ["nft", "legacy"] as const;
type Variant = (typeof VARIANTS)[number];

/** Runs programs as on a host whose alternatives are set to what `variant` says at that moment. */
function runAs({ run }: Pick<Namespace, "run">, variant: () => Variant): Run {
  return (command, args, stdin) =>
    run(command.replace(/^(ip6?tables)(-restore)?$/, `$1-${variant()}$2`), args, stdin);
}

const rulesIn = async ({ run }: Namespace, variant: Variant) =>
  (
    await Promise.all(
      [`iptables-${variant}`, `ip6tables-${variant}`].map((each) => run(each, ["-S"])),
    )
  ).join("");

for (const kind of KINDS) {
  describe(`the ${kind} firewall with iptables-legacy`, { skip: needsRoot }, () => {
    for (const [sentence, check] of FIREWALL_SUITE) {
      test(sentence, async () => {
        await using network = await createNetwork(["mx"]);
        const host = network.host("mx");
        const kernel = { isRefusing: false };
        const run = runAs({ run: refusableRun(host.run, kernel) }, () => "legacy");
        const common = { chains: ["INPUT"], run };
        const firewall: Firewall =
          kind === "ipset"
            ? createIpsetFirewall({ ...common, start: host.spawn })
            : createIptablesFirewall({ ...common, now: Date.now });
        try {
          await check(firewall, kernel);
          assert.match(await rulesIn(host, "legacy"), /-N fleetban-dovecot/);
          assert.doesNotMatch(await rulesIn(host, "nft"), /fleetban/);
        } finally {
          await firewall.close();
        }
      });
    }
  });

  for (const [from, to] of [
    ["nft", "legacy"],
    ["legacy", "nft"],
  ] as const) {
    describe(`the ${kind} firewall, when iptables becomes ${to}`, { skip: needsRoot }, () => {
      let variant: Variant = from;
      let network: Network;
      let visitor: Visitor;
      let on: FirewallHost;
      before(async () => {
        network = await createNetwork(["mx", "visitor"]);
        const mx = network.host("mx");
        visitor = await startVisitor(mx, network.host("visitor"));
        on = firewallHost(
          network,
          runAs(mx, () => variant),
        );
      });
      after(async () => {
        await on[Symbol.asyncDispose]();
        await visitor[Symbol.asyncDispose]();
        await network[Symbol.asyncDispose]();
      });

      const { address4, address6 } = { address4: "10.77.0.12", address6: "fd77::c" };
      const reach = async () => [await visitor.reaches(address4), await visitor.reaches(address6)];

      test("while it is at work: its rules move, and an unban leaves none behind", async () => {
        variant = from;
        const firewall = await on.open(kind);
        await firewall.ban([ban(address4, 600), ban(address6, 600)]);
        assert.deepEqual(await reach(), [false, false]);
        variant = to;
        assert.notDeepEqual((await firewall.repair()).repaired, []);
        assert.match(await rulesIn(on.host, to), /fleetban/);
        assert.doesNotMatch(await rulesIn(on.host, from), /fleetban/);
        assert.deepEqual(await reach(), [false, false]);
        await firewall.unban([ban(address4), ban(address6)]);
        assert.deepEqual(await reach(), [true, true]);
        await on.uninstall();
      });

      test("before it is started again: it takes the bans over, and everything can be removed", async () => {
        variant = from;
        const first = await on.open(kind);
        await first.ban([ban(address4, 600), ban(address6, 600)]);
        await first.close();
        variant = to;
        const second = await on.open(kind);
        assert.equal(await second.count(), 2);
        assert.deepEqual(await reach(), [false, false]);
        assert.doesNotMatch(await rulesIn(on.host, from), /fleetban/);
        await second.close();
        variant = from; // and back, with nobody at work
        assert.deepEqual(await on.uninstall(), []);
        for (const each of VARIANTS) assert.doesNotMatch(await rulesIn(on.host, each), /fleetban/);
        assert.equal(await on.host.run("ipset", ["list", "-name"]), "");
        assert.deepEqual(await reach(), [true, true]);
      });
    });
  }
}

describe("a host without IPv6", { skip: needsRoot }, () => {
  test("by sysctl: rules for it stand all the same, for it may be set back at any time", async () => {
    await using network = await createNetwork(["mx"]);
    const { run } = network.host("mx");
    await run("sysctl", ["-qw", "net.ipv6.conf.all.disable_ipv6=1"]);
    for (const variant of VARIANTS) {
      for (const kind of KINDS) {
        await using on = firewallHost(
          network,
          runAs(network.host("mx"), () => variant),
        );
        const firewall = await on.open(kind);
        assert.deepEqual(await firewall.ban([ban("2001:db8::7", 600)]), []);
        assert.equal(await firewall.count(), 1);
        assert.match(await run(`ip6tables-${variant}`, ["-S"]), /fleetban-dovecot/);
        await on.uninstall();
      }
    }
  });
});

test("ports that iptables-legacy hands on are found", { skip: needsRoot }, async () => {
  await using network = await createNetwork(["mx"]);
  const { run } = network.host("mx");
  for (const [iptables, to] of [
    ["iptables", "172.17.0.2:143"],
    ["ip6tables", "[fd17::2]:143"],
  ] as const) {
    const dnat = ["-p", "tcp", "--dport", "143", "-j", "DNAT", "--to-destination", to];
    await run(`${iptables}-legacy`, ["-t", "nat", "-A", "PREROUTING", ...dnat]);
    const legacy = runAs({ run }, () => "legacy");
    const [reason] = await forwardedPorts(iptables, [JAIL], legacy);
    assert.ok(reason?.startsWith(`port 143 is handed on to ${to}`), reason);
  }
});
