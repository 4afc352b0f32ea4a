/** A mail server in a container: its packets are forwarded by the host, and do not pass INPUT. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "../harness/eventually.ts";
import {
  BACK_ENDS,
  firewallHost,
  startVisitor,
  type FirewallHost,
  type Visitor,
} from "../harness/firewall-host.ts";
import { ban, JAIL } from "../harness/firewall-suite.ts";
import { createNetwork, needsRoot, type Network } from "../harness/netns.ts";

/** Puts the container behind mx, which publishes its port 143 as Docker does. */
async function publish(network: Network): Promise<void> {
  const [mx, container] = [network.host("mx"), network.host("container")];
  await container.run("ip", ["link", "del", "eth0"]);
  const peer = ["type", "veth", "peer", "name", "eth0", "netns", container.name];
  await mx.run("ip", ["link", "add", "docker0", ...peer]);
  for (const [host, device, address4, address6] of [
    [mx, "docker0", "172.17.0.1/16", "fd17::1/64"],
    [container, "eth0", "172.17.0.2/16", "fd17::2/64"],
  ] as const) {
    await host.run("ip", ["addr", "add", address4, "dev", device]);
    await host.run("ip", ["addr", "add", address6, "dev", device, "nodad"]);
    await host.run("ip", ["link", "set", device, "up"]);
  }
  await container.run("ip", ["route", "add", "default", "via", "172.17.0.1"]);
  await container.run("ip", ["-6", "route", "add", "default", "via", "fd17::1"]);
  await mx.run("sysctl", ["-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]);
  for (const [iptables, to] of [
    ["iptables", "172.17.0.2:143"],
    ["ip6tables", "[fd17::2]:143"],
  ] as const) {
    const dnat = ["-p", "tcp", "--dport", "143", "-j", "DNAT", "--to-destination", to];
    await mx.run(iptables, ["-t", "nat", "-A", "PREROUTING", "-i", "eth0", ...dnat]);
    // Another number outside than inside: no filter ever sees 993.
    const other = ["-p", "tcp", "--dport", "993", "-j", "DNAT", "--to-destination", to];
    await mx.run(iptables, ["-t", "nat", "-N", "DOCKER"]);
    await mx.run(iptables, ["-t", "nat", "-A", "PREROUTING", "-j", "DOCKER"]);
    await mx.run(iptables, ["-t", "nat", "-A", "DOCKER", "-i", "eth0", ...other]);
    // Where Docker leaves room for its users' rules.
    await mx.run(iptables, ["-N", "DOCKER-USER"]);
    await mx.run(iptables, ["-A", "FORWARD", "-j", "DOCKER-USER"]);
  }
}

describe("a mail server in a container", { skip: needsRoot }, () => {
  let network: Network;
  let visitor: Visitor;
  let on: FirewallHost;
  before(async () => {
    network = await createNetwork(["mx", "visitor", "container"]);
    await publish(network);
    const { address4, address6 } = network.host("mx");
    visitor = await startVisitor(
      { ...network.host("container"), address4, address6 },
      network.host("visitor"),
    );
    on = firewallHost(network);
    // The kernel takes its time to make a new link's IPv6 usable.
    await eventually("the container is reached", async () => (await reach()).every(Boolean));
  });
  after(async () => {
    await on[Symbol.asyncDispose]();
    await visitor[Symbol.asyncDispose]();
    await network[Symbol.asyncDispose]();
  });

  const reach = async () => {
    const { address4, address6 } = visitor.namespace;
    return [await visitor.reaches(address4), await visitor.reaches(address6)];
  };

  for (const kind of BACK_ENDS) {
    for (const chain of ["FORWARD", "DOCKER-USER"]) {
      test(`is closed to who is banned through ${kind} in ${chain}`, async () => {
        const { address4, address6 } = visitor.namespace;
        const firewall = await on.open(kind, ["INPUT", chain]);
        assert.deepEqual(await reach(), [true, true]);
        await firewall.ban([ban(address4, 600), ban(address6, 600)]);
        assert.deepEqual(await reach(), [false, false]);
        assert.deepEqual(await firewall.repair(), {
          repaired: [],
          bansLost: false,
          ineffective: [],
        });
        await firewall.unban([ban(address4), ban(address6)]);
        assert.deepEqual(await reach(), [true, true]);
        assert.deepEqual(await on.uninstall(), []);
      });
    }

    test(`is closed by ${kind} on a port that has another number inside`, async () => {
      const { address4, address6 } = visitor.namespace;
      const reach993 = () =>
        Promise.all([address4, address6].map((from) => visitor.reaches(from, 993)));
      const only993 = [{ ...JAIL, ports: [993] }];
      const firewall = await on.open(kind, ["INPUT", "DOCKER-USER"], only993);
      assert.deepEqual(await reach993(), [true, true]);
      await firewall.ban([ban(address4, 600), ban(address6, 600)]);
      assert.deepEqual(await reach993(), [false, false]);
      assert.deepEqual(await firewall.repair(), {
        repaired: [],
        bansLost: false,
        ineffective: [],
      });
      await on.uninstall();
    });

    test(`is not closed by ${kind} in INPUT alone, as the default has it, and the host says so`, async () => {
      const firewall = await on.open(kind, ["INPUT"]);
      await firewall.ban([ban(visitor.namespace.address4, 600)]);
      assert.deepEqual(await reach(), [true, true]);
      const { ineffective } = await firewall.repair();
      for (const part of [
        /port 993 is handed on to 172\.17\.0\.2:143,.* add DOCKER-USER/,
        /port 993 is handed on to \[fd17::2\]:143,.* add DOCKER-USER/,
        /port 143 is handed on to 172\.17\.0\.2:143,.* add FORWARD/,
      ]) {
        assert.ok(
          ineffective.some((text) => part.test(text)),
          ineffective.join("\n"),
        );
      }
      await on.uninstall();
    });
  }

  test("is closed before its first packet where the agent started before Docker", async () => {
    const programs = ["iptables", "ip6tables"];
    for (const iptables of programs) {
      await on.host.run(iptables, ["-D", "FORWARD", "-j", "DOCKER-USER"]);
      await on.host.run(iptables, ["-X", "DOCKER-USER"]);
    }
    const { address4, address6 } = visitor.namespace;
    const firewall = await on.open("ipset", ["INPUT", "DOCKER-USER"]);
    await firewall.ban([ban(address4, 600), ban(address6, 600)]);
    for (const iptables of programs) {
      // Docker finds its chain made, lets what is left of it go on, and leads to it.
      await on.host.run(iptables, ["-A", "DOCKER-USER", "-j", "RETURN"]);
      await on.host.run(iptables, ["-I", "FORWARD", "1", "-j", "DOCKER-USER"]);
    }
    assert.deepEqual(await reach(), [false, false]);
    assert.deepEqual(await firewall.repair(), { repaired: [], bansLost: false, ineffective: [] });
    await on.uninstall();
  });

  test("is closed again within a repair when a rule in DOCKER-USER leaves the chain first", async () => {
    const { address4 } = visitor.namespace;
    const firewall = await on.open("ipset", ["INPUT", "DOCKER-USER"]);
    await firewall.ban([ban(address4, 600)]);
    await on.host.run("iptables", ["-I", "DOCKER-USER", "1", "-j", "RETURN"]);
    assert.equal((await reach())[0], true);
    assert.equal((await firewall.repair()).repaired.length, 1);
    assert.equal((await reach())[0], false);
    await on.host.run("iptables", ["-D", "DOCKER-USER", "-j", "RETURN"]);
    await on.uninstall();
  });

  test("and what comes before DOCKER-USER in FORWARD is said: only its owner can move it", async () => {
    const firewall = await on.open("ipset", ["INPUT", "DOCKER-USER"]);
    await on.host.run("iptables", ["-N", "DOCKER"]); // Docker is there
    await on.host.run("iptables", ["-I", "FORWARD", "1", "-p", "tcp", "-j", "ACCEPT"]);
    assert.deepEqual((await firewall.repair()).ineffective, [
      'iptables: in FORWARD, "-p tcp -j ACCEPT" stands before the rule that leads to DOCKER-USER: name FORWARD in firewall.chains in its place',
    ]);
    await on.host.run("iptables", ["-D", "FORWARD", "1"]);
    // What only concerns virtual machines is no danger.
    await on.host.run("iptables", ["-I", "FORWARD", "1", "-i", "virbr0", "-j", "ACCEPT"]);
    assert.deepEqual((await firewall.repair()).ineffective, []);
    await on.host.run("iptables", ["-D", "FORWARD", "1"]);
    await on.host.run("iptables", ["-X", "DOCKER"]);
    await on.uninstall();
  });

  test("is closed again within a repair when Docker has made its chain anew", async () => {
    const { address4 } = visitor.namespace;
    const firewall = await on.open("ipset", ["INPUT", "DOCKER-USER"]);
    await firewall.ban([ban(address4, 600)]);
    await on.host.run("iptables", ["-F", "DOCKER-USER"]);
    assert.equal((await reach())[0], true);
    const { repaired } = await firewall.repair();
    assert.deepEqual(repaired, ["iptables: DOCKER-USER did not lead to fleetban"]);
    assert.equal((await reach())[0], false);
    await on.uninstall();
  });
});
