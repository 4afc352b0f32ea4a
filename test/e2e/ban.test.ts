import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createFleet, type Fleet } from "../harness/fleet.ts";
import { eventually } from "../harness/eventually.ts";
import { programArguments } from "../harness/fleetban.ts";
import { needsRoot } from "../harness/netns.ts";

interface Shown {
  bans: { state: string; reason: string; evidence: { host: string; failures: number }[] }[];
}

describe("a fleet of three hosts with a real Dovecot", { skip: needsRoot }, () => {
  let fleet: Fleet;
  before(async () => {
    fleet = await createFleet({ agentYaml: "firewall: { repairEvery: 1s }" });
  });
  after(() => fleet[Symbol.asyncDispose]());

  /** `count` wrong passwords, host after host, over IMAP and POP3 by turns. */
  async function guess(count: number, family: 4 | 6, from?: string): Promise<void> {
    for (let attempt = 0; attempt < count; attempt += 1) {
      const { namespace } = fleet.hosts[attempt % fleet.hosts.length]!;
      const { opened, accepted } = await fleet.attacker.logIn({
        host: family === 4 ? namespace.address4 : namespace.address6,
        port: attempt % 2 === 0 ? 143 : 110,
        user: "alice",
        passwords: [`guess-${attempt}`],
        ...(from !== undefined && { from }),
      });
      assert.deepEqual({ opened, accepted }, { opened: true, accepted: false });
    }
  }

  const connects = (client: Fleet["client"], family: 4 | 6, from?: string) =>
    Promise.all(
      fleet.hosts.map(({ namespace }) =>
        client.connects({
          host: family === 4 ? namespace.address4 : namespace.address6,
          port: 143,
          ...(from !== undefined && { from }),
        }),
      ),
    );

  for (const family of [4, 6] as const) {
    test(`an attacker below maxretry on every host is banned on all of them, IPv${family}`, async () => {
      const { address4, address6 } = fleet.attackerNamespace;
      const address = family === 4 ? address4 : address6;
      await guess(4, family);
      assert.deepEqual(await connects(fleet.attacker, family), [true, true, true]);
      await guess(1, family);
      await fleet.untilInKernel(address, true);
      assert.deepEqual(await connects(fleet.attacker, family), [false, false, false]);
      assert.deepEqual(await connects(fleet.client, family), [true, true, true]);
      const { bans } = await fleet.ask<Shown>("ban", "show", address);
      assert.equal(bans.length, 1);
      assert.deepEqual(
        bans[0]?.evidence.toSorted((a, b) => (a.host < b.host ? -1 : 1)),
        [
          { host: "mx1", failures: 3 },
          { host: "mx2", failures: 1 },
          { host: "mx3", failures: 1 },
        ],
      );
    });

    test(`an unbanned attacker can connect again, IPv${family}`, async () => {
      const { address4, address6 } = fleet.attackerNamespace;
      const address = family === 4 ? address4 : address6;
      const { code, stdout } = await fleet.cli("ban", "remove", address, "--wait");
      assert.equal(code, 0);
      assert.match(stdout, /lifted on 3\/3 hosts after [\d.]+ m?s/);
      assert.deepEqual(await connects(fleet.attacker, family), [true, true, true]);
    });
  }

  test("a right password is no failure, and several on one connection are several", async () => {
    const from = "10.77.0.101";
    await fleet.attackerNamespace.addAddress(from);
    const host = fleet.hosts[0]!.namespace.address4;
    const login = { host, port: 143, user: "alice", from };
    const { accepted } = await fleet.attacker.logIn({ ...login, passwords: ["right"] });
    assert.equal(accepted, true);
    await fleet.attacker.logIn({ ...login, passwords: ["a", "b", "c"] });
    await eventually("three failures are on record", async () => {
      const { failures } = await fleet.ask<{ failures: { attempts: number }[] }>(
        "failure",
        "list",
        "--address",
        from,
      );
      return failures.reduce((sum, { attempts }) => sum + attempts, 0) === 3;
    });
  });

  test("a drill goes through a real Dovecot and its log into every kernel, and nobody stays banned", async () => {
    const { code, stdout, stderr } = await fleet.cli("drill", "mx2");
    assert.equal(code, 0, stdout + stderr);
    const [head = "", ...steps] = stdout.trimEnd().split("\n");
    const address = /address (240(?:\.\d+){3})$/.exec(head)?.[1] ?? assert.fail(head);
    const [attempted, read, counted, decided, inForce, lifted] = steps;
    assert.match(attempted ?? "", /^attempted +[\d.]+ m?s +IMAP login at \S+ port 143$/);
    assert.match(read ?? "", /^read +[\d.]+ m?s +the agent has read the line/);
    assert.match(counted ?? "", /^counted +[\d.]+ m?s +.* 5 attempts for jail dovecot$/);
    assert.match(decided ?? "", /^decided +[\d.]+ m?s +5 failures on 1 host/);
    assert.match(inForce ?? "", /^in force +[\d.]+ m?s +in the kernel of 3\/3 hosts$/);
    assert.match(lifted ?? "", /^lifted +[\d.]+ m?s +lifted on 3\/3 hosts/);
    await fleet.untilInKernel(address, false);
    const { bans } = await fleet.ask<Shown>("ban", "show", address);
    assert.deepEqual(
      bans.map(({ state, evidence }) => ({ state, evidence })),
      [{ state: "lifted", evidence: [{ host: "mx2", failures: 5 }] }],
    );
    assert.deepEqual(await connects(fleet.client, 4), [true, true, true]);
  });

  test("an allowlisted address is never banned", async () => {
    const from = "10.77.0.102";
    await fleet.attackerNamespace.addAddress(from);
    assert.equal((await fleet.cli("allow", "add", "10.77.0.102/31")).code, 0);
    await guess(8, 4, from);
    const later = "10.77.0.104"; // attacked after it, banned: so all before has been decided
    await fleet.attackerNamespace.addAddress(later);
    await guess(5, 4, later);
    await fleet.untilInKernel(later, true);
    await fleet.untilInKernel(from, false);
    assert.deepEqual(await connects(fleet.attacker, 4, from), [true, true, true]);
    const refused = await fleet.cli("ban", "add", from);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /allowlist/);
  });

  test("flushed rules and destroyed sets are repaired", async () => {
    const banned = "10.77.0.104";
    const [first] = fleet.hosts;
    const { namespace } = first!;
    const connectsToFirst = async () =>
      await fleet.attacker.connects({ host: namespace.address4, port: 143, from: banned });
    assert.equal(await connectsToFirst(), false);
    await namespace.run("iptables", ["-F"]);
    await eventually("the rules are back", async () => !(await connectsToFirst()), 20);
    await namespace.run("iptables", ["-F"]);
    await namespace.run("ip6tables", ["-F"]);
    await namespace.run("ipset", ["destroy"]);
    await eventually("rules and bans are back", async () => !(await connectsToFirst()), 20);
    await eventually("the repairs are reported", async () => {
      const { hosts } = await fleet.ask<{ hosts: { host: string; status: { repairs: number } }[] }>(
        "host",
        "list",
      );
      return (hosts.find(({ host }) => host === "mx1")?.status.repairs ?? 0) >= 2;
    });
  });

  test("a host never bans itself, loopback or its NATS server", async () => {
    const centre = fleet.centre.address4;
    for (const address of ["127.0.0.1", fleet.hosts[1]!.namespace.address4, centre]) {
      const { code, stderr } = await fleet.cli("ban", "add", address);
      assert.equal(code, 1, stderr);
      assert.match(stderr, /never banned|loopback/);
    }
    await fleet.untilInKernel(centre, false);
  });

  test("where an operator uses the CLI from is never banned automatically", async () => {
    const { address4, run } = fleet.attackerNamespace;
    const asked = ["status", "--nats", `nats://${fleet.centre.address4}:4222`];
    await run(process.execPath, [...programArguments("cli"), ...asked]);
    await eventually("the coordinator knows from where", async () => {
      const { stdout } = await fleet.cli("ban", "why", address4);
      return /^machine of the fleet +yes: .* is of .*'s CLI$/m.test(stdout);
    });
    await guess(8, 4);
    const later = "10.77.0.105"; // attacks after it, and is banned: so all before has been decided
    await fleet.attackerNamespace.addAddress(later);
    await guess(5, 4, later);
    await fleet.untilInKernel(later, true);
    await fleet.untilInKernel(address4, false);
  });
});
