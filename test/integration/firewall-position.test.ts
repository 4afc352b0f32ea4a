/** Rules of others beside fleetban's: banned addresses stay out, or the host says why they do not. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { whyUnusable } from "../../services/agent/enforce/firewall/firewall-check.ts";
import { inspectRules } from "../../services/agent/enforce/firewall/inspection.ts";
import { findNeighbours } from "../../services/agent/enforce/firewall/neighbours.ts";
import {
  makeSavedSets,
  readSavedRules,
} from "../../services/agent/enforce/firewall/saved-rules.ts";
import { everReached, startVisitedHost, type VisitedHost } from "../harness/firewall-host.ts";
import { ban, JAIL } from "../harness/firewall-suite.ts";
import { needsRoot } from "../harness/netns.ts";

const IPTABLES = ["ipset", "iptables"] as const;
const NOTHING = { repaired: [], bansLost: false, ineffective: [] };
const PEER = ["INPUT", "1", "-p", "tcp", "--dport", "143", "-j", "ACCEPT"];

describe("beside the rules of others", { skip: needsRoot }, () => {
  let visited: VisitedHost;
  before(async () => {
    visited = await startVisitedHost();
  });
  after(() => visited[Symbol.asyncDispose]());

  const iptables = (...args: string[]) => visited.host.run("iptables", args);
  const inInput = async () =>
    (await iptables("-S", "INPUT")).split("\n").filter((line) => line.startsWith("-A"));

  for (const kind of IPTABLES) {
    test(`a ban through ${kind} overtakes a rule that lets its address in`, () =>
      visited.try(kind, async (firewall, visitor) => {
        await firewall.ban([ban(visitor.namespace.address4, 600)]);
        await iptables("-I", ...PEER);
        assert.equal(await visitor.reaches(), true);
        assert.deepEqual((await firewall.repair()).repaired, [
          'iptables: in INPUT, "-p tcp -m tcp --dport 143 -j ACCEPT" stood before the rule of fleetban',
        ]);
        assert.equal(await visitor.reaches(), false);
        assert.deepEqual(await firewall.repair(), NOTHING);
        await iptables("-F", "INPUT");
      }));

    test(`the rules of a version that had one per jail are taken over by ${kind} without a gap`, () =>
      visited.try(kind, async (firewall, visitor, on) => {
        await firewall.ban([ban(visitor.namespace.address4, 600)]);
        const jump = "-p tcp -m multiport --dports 110,995,143,993 -j fleetban-dovecot";
        const old = ["-D INPUT -j fleetban", "-F fleetban", "-X fleetban", `-I INPUT 1 ${jump}`];
        const script = ["*filter", ...old, "COMMIT", ""].join("\n");
        await visited.host.run("iptables-restore", ["--noflush"], script);
        assert.deepEqual(await inInput(), [`-A INPUT ${jump}`]);
        const reached = await everReached(visitor, async () => {
          await on.open(kind);
        });
        assert.equal(reached, false);
        assert.deepEqual(await inInput(), ["-A INPUT -j fleetban"]);
      }));
  }

  test("it stays behind a chain that only refuses, which so need not fight for its place", () =>
    visited.try("ipset", async (firewall, visitor, on) => {
      await firewall.ban([ban(visitor.namespace.address4, 600)]);
      // As mailcow's netfilter writes it; it restarts itself when its jump is not among the first.
      await iptables("-N", "MAILCOW");
      await iptables("-A", "MAILCOW", "-s", "203.0.113.0/24", "-j", "REJECT");
      await iptables("-I", "INPUT", "1", "-j", "MAILCOW");
      assert.deepEqual(await firewall.repair(), NOTHING);
      await iptables("-D", "INPUT", "-j", "fleetban");
      assert.equal((await firewall.repair()).repaired.length, 1);
      assert.deepEqual(await inInput(), ["-A INPUT -j MAILCOW", "-A INPUT -j fleetban"]);
      await on.open("ipset");
      assert.equal((await inInput())[0], "-A INPUT -j MAILCOW");
      assert.equal(await visitor.reaches(), false);
      // But not behind one that lets somebody in.
      await iptables("-A", "MAILCOW", "-p", "tcp", "--dport", "143", "-j", "ACCEPT");
      assert.equal(await visitor.reaches(), true);
      await firewall.repair();
      assert.equal(await visitor.reaches(), false);
      await iptables("-F", "INPUT");
      await iptables("-F", "MAILCOW");
      await iptables("-X", "MAILCOW");
    }));

  test("it gives way to who insists on being first, says so, and comes back", () =>
    visited.try("ipset", async (firewall, visitor) => {
      await firewall.ban([ban(visitor.namespace.address4, 600)]);
      const insist = () => iptables("-I", ...PEER);
      for (let round = 0; round < 2; round += 1) {
        await insist();
        assert.deepEqual((await firewall.repair()).ineffective, []);
      }
      await insist();
      const { repaired, ineffective } = await firewall.repair();
      assert.deepEqual(repaired, []);
      assert.match(
        ineffective.join(),
        /^iptables: in INPUT, "-p tcp .* -j ACCEPT" lets packets .* firewall\.backend to nftables/,
      );
      const moves: number[] = [];
      for (let look = 0; look < 65; look += 1) {
        await insist();
        if ((await firewall.repair()).repaired.length > 0) moves.push(look);
      }
      assert.deepEqual(moves, [29, 60], "it tries again every 30 looks, and no more often");
      await iptables("-F", "INPUT");
      await iptables("-A", "INPUT", "-j", "fleetban");
      assert.deepEqual(await firewall.repair(), NOTHING);
      assert.equal(await visitor.reaches(), false);
    }));

  test("a rule that cannot concern a jail's port may stay before it", () =>
    visited.try("ipset", async (firewall) => {
      for (const rule of [
        ["-i", "lo", "-j", "ACCEPT"],
        ["-p", "udp", "--dport", "41641", "-j", "ACCEPT"],
        ["-m", "comment", "--comment", "x -j ACCEPT", "-j", "LOG"],
        ["-s", "203.0.113.7", "-j", "DROP"],
      ]) {
        await iptables("-I", "INPUT", "1", ...rule);
      }
      assert.deepEqual(await firewall.repair(), NOTHING);
      await iptables("-I", "INPUT", "1", "-j", "RETURN");
      assert.equal((await firewall.repair()).repaired.length, 1);
      await iptables("-F", "INPUT");
    }));

  test("a chain that is taken out of the configuration no longer leads to it", () =>
    visited.try("ipset", async (_firewall, _visitor, on) => {
      await on.open("ipset", ["INPUT", "FORWARD"]);
      assert.match(await iptables("-S", "FORWARD"), /-j fleetban/);
      await on.open("ipset", ["INPUT"]);
      assert.doesNotMatch(await iptables("-S", "FORWARD"), /fleetban/);
      assert.match(await iptables("-S", "INPUT"), /-j fleetban/);
    }));

  test("a chain that does not exist is named, and the one that was meant", () =>
    visited.try("ipset", async (_firewall, _visitor, on) => {
      const chains = ["INPUT", "DOCKER_USER"];
      const expected =
        "firewall.chains: there is no chain DOCKER_USER in the filter table; did you mean DOCKER-USER?";
      for (const kind of IPTABLES) {
        const reason = await whyUnusable(kind, chains, on.host.run);
        assert.equal(reason?.reason, `${kind}: iptables: ${expected}`);
      }
      const firewall = await on.open("ipset", chains);
      assert.deepEqual((await firewall.repair()).ineffective, [
        `iptables: ${expected}`,
        `ip6tables: ${expected}`,
      ]);
    }));

  test("a chain that nothing leads to is said to be of no use", () =>
    visited.try("iptables", async (_firewall, _visitor, on) => {
      await iptables("-N", "mail");
      await visited.host.run("ip6tables", ["-N", "mail"]);
      await visited.host.run("ip6tables", ["-A", "INPUT", "-j", "mail"]);
      const firewall = await on.open("iptables", ["mail"]);
      const { ineffective } = await firewall.repair();
      assert.deepEqual(ineffective, [
        "iptables: no rule leads to chain mail: take it out of firewall.chains",
      ]);
      await iptables("-I", "INPUT", "-j", "mail");
      await iptables("-I", "INPUT", "-p", "tcp", "-j", "ACCEPT");
      assert.deepEqual((await firewall.repair()).ineffective, [
        'iptables: in INPUT, "-p tcp -j ACCEPT" stands before the rule that leads to mail: name INPUT in firewall.chains in its place',
      ]);
      await on.uninstall();
      for (const program of ["iptables", "ip6tables"]) {
        await visited.host.run(program, ["-F", "INPUT"]);
        await visited.host.run(program, ["-X", "mail"]);
      }
    }));

  for (const kind of ["ipset", "nftables", "iptables"] as const) {
    test(`a port that is rewritten on the way is closed by ${kind}, too`, () =>
      visited.try(kind, async (firewall, visitor, on) => {
        const redirect = ["PREROUTING", "-p", "tcp", "--dport", "993", "-j", "REDIRECT"];
        for (const program of ["iptables", "ip6tables"]) {
          await visited.host.run(program, ["-t", "nat", "-A", ...redirect, "--to-ports", "143"]);
        }
        const { address4, address6 } = visitor.namespace;
        const reach = () =>
          Promise.all([address4, address6].map((from) => visitor.reaches(from, 993)));
        await firewall.close();
        const only993 = await on.open(kind, ["INPUT"], [{ ...JAIL, ports: [993] }]);
        assert.deepEqual(await reach(), [true, true]);
        await only993.ban([ban(address4, 600), ban(address6, 600)]);
        assert.deepEqual(await reach(), [false, false]);
        assert.equal(await visitor.reaches(), true, "the port behind it is none of the jail's");
        assert.deepEqual(await only993.repair(), NOTHING);
        for (const program of ["iptables", "ip6tables"]) {
          await visited.host.run(program, ["-t", "nat", "-F"]);
        }
      }));
  }

  for (const kind of ["ipset", "nftables"] as const) {
    test(`a check tells how the rules of ${kind} stand, and changes nothing`, () =>
      visited.try(kind, async (firewall, _visitor, on) => {
        const look = (chains = ["INPUT"]) => inspectRules(kind, chains, [JAIL], on.host.run);
        assert.deepEqual(await look(), []);
        await on.uninstall();
        assert.equal(await look(), undefined, "none yet");
        await firewall.open([JAIL]);
        if (kind === "nftables") {
          await visited.host.run("nft", ["-f", "-"], "delete chain inet fleetban input\n");
          assert.deepEqual(await look(), ["nftables: chain input is missing"]);
          return;
        }
        await iptables("-I", ...PEER);
        const before = await iptables("-S");
        assert.deepEqual(await look(), [
          'iptables: in INPUT, "-p tcp -m tcp --dport 143 -j ACCEPT" stands before fleetban\'s rule; ' +
            "the agent puts its rule first within repairEvery",
        ]);
        assert.equal(await iptables("-S"), before);
        await iptables("-F", "INPUT");
      }));
  }

  test("who else manages the firewall is named, with what to know of it", () =>
    visited.try("ipset", async (_firewall, _visitor, on) => {
      const others = ["DOCKER", "MAILCOW", "f2b-dovecot", "ufw-before-input", "cali-INPUT"];
      for (const chain of [...others, "CILIUM_INPUT", "INPUT_direct"]) await iptables("-N", chain);
      const found = await findNeighbours({ kind: "ipset", chains: ["INPUT"] }, on.host.run);
      const texts = new Map(found.map(({ name, text }) => [name, text]));
      const names = ["Docker", "mailcow", "fail2ban", "ufw", "firewalld", "Cilium", "Calico"];
      assert.deepEqual([...texts.keys()], names);
      assert.match(texts.get("Docker") ?? "", /add DOCKER-USER/);
      assert.match(texts.get("fail2ban") ?? "", /f2b-dovecot/);
      await on.uninstall();
      await iptables("-X");
    }));

  test("saved rules are loaded at a boot, although the sets that they name are gone by then", () =>
    visited.try("ipset", async (_firewall, _visitor, on) => {
      const { run } = on.host;
      const folder = await mkdtemp(join(tmpdir(), "fleetban-saved-"));
      try {
        const files = [join(folder, "rules.v4"), join(folder, "rules.v6"), join(folder, "none")];
        const saved = [await run("iptables-save", []), await run("ip6tables-save", [])];
        for (const [index, text] of saved.entries()) await writeFile(files[index]!, text);
        await on.uninstall();
        const load = () => run("iptables-restore", [], saved[0]);
        await assert.rejects(load(), /fleetban-dovecot-4/, "the host would have no firewall");
        const made = await makeSavedSets(await readSavedRules(files), run);
        assert.deepEqual(made.sort(), ["fleetban-dovecot-4", "fleetban-dovecot-6"]);
        await load();
        assert.match(await iptables("-S"), /match-set fleetban-dovecot-4/);
        assert.deepEqual(await makeSavedSets(await readSavedRules(files), run), []);
      } finally {
        await rm(folder, { recursive: true });
      }
    }));

  test("nftables wakes its table when somebody has made it dormant", () =>
    visited.try("nftables", async (firewall, visitor) => {
      await firewall.ban([ban(visitor.namespace.address4, 600)]);
      const script = "add table inet fleetban { flags dormant; }\n";
      await visited.host.run("nft", ["-f", "-"], script);
      assert.equal(await visitor.reaches(), true);
      assert.deepEqual((await firewall.repair()).repaired, [
        "nftables: table inet fleetban was dormant",
      ]);
      assert.equal(await visitor.reaches(), false);
      assert.deepEqual(await firewall.repair(), NOTHING);
    }));
});
