/** Every back end on real packets. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Firewall } from "../../services/agent/enforce/firewall/firewall.ts";
import { eventually } from "../harness/eventually.ts";
import {
  BACK_ENDS,
  everReached,
  startUdpEcho,
  startVisitedHost,
  type VisitedHost,
} from "../harness/firewall-host.ts";
import type { Protocol } from "../../services/wire/settings.ts";
import { ban, JAIL } from "../harness/firewall-suite.ts";
import { needsRoot } from "../harness/netns.ts";

const listed = async (firewall: Firewall) =>
  (await firewall.list()).map(({ address }) => address as string).sort();

for (const kind of BACK_ENDS) {
  describe(`a ban through ${kind}`, { skip: needsRoot }, () => {
    let host: VisitedHost;
    before(async () => {
      host = await startVisitedHost();
    });
    after(() => host[Symbol.asyncDispose]());

    test("keeps exactly the banned addresses out, until they are unbanned", () =>
      host.try(kind, async (firewall, visitor) => {
        const { address4, address6 } = visitor.namespace;
        const all = [address4, address6, "10.77.0.200", "fd77::200"];
        const reach = () => Promise.all(all.map((from) => visitor.reaches(from)));
        assert.deepEqual(await reach(), [true, true, true, true]);
        await firewall.ban([ban(address4, 600), ban(address6)]);
        assert.deepEqual(await reach(), [false, false, true, true]);
        await firewall.unban([ban(address4)]);
        assert.deepEqual(await reach(), [true, false, true, true]);
        await firewall.unban([ban(address6)]);
        assert.deepEqual(await reach(), [true, true, true, true]);
      }));

    test("keeps networks out, also one inside another", () =>
      host.try(kind, async (firewall, visitor) => {
        const { address4, address6 } = visitor.namespace;
        const all = [address4, "10.77.0.200", address6, "fd77::200"];
        const reach = () => Promise.all(all.map((from) => visitor.reaches(from)));
        await firewall.ban([ban("10.77.0.0/28", 600), ban("fd77::/124", 600)]);
        assert.deepEqual(await reach(), [false, true, false, true]);
        await firewall.ban([ban("10.77.0.0/24"), ban("10.77.0.200", 600), ban("fd77::/64", 600)]);
        assert.deepEqual(await reach(), [false, false, false, false]);
        await firewall.unban([ban("10.77.0.0/24"), ban("fd77::/64")]);
        assert.deepEqual(await reach(), [false, false, false, true]);
        await firewall.replace([ban("10.77.0.0/28", 600)]);
        assert.deepEqual(await reach(), [false, true, true, true]);
        assert.deepEqual(await listed(firewall), ["10.77.0.0/28"]);
      }));

    test("closes the jail's ports for the jail's protocols, and for no other", () =>
      host.try(kind, async (_firewall, visitor, on) => {
        const address = visitor.namespace.address4;
        await using echo = await startUdpEcho(on.host);
        const open = async (protocol: Protocol, ports = [143]) => {
          const jail = { name: JAIL.name, ports, protocol };
          const firewall = await on.open(kind, ["INPUT"], [jail]);
          await firewall.ban([ban(address, 600)]);
          const reached = [await visitor.reaches(), await visitor.hearsEcho(echo.port)];
          assert.deepEqual(
            (await firewall.repair()).repaired,
            [],
            "the rules are as they should be",
          );
          await firewall.close();
          return reached;
        };
        assert.deepEqual(await open("udp"), [true, false]);
        assert.deepEqual(await open("tcp"), [false, true]);
        assert.deepEqual(await open("tcp,udp"), [false, false]);
        assert.deepEqual(await open("all"), [false, false]);
        assert.deepEqual(await open("udp", []), [true, false]);
        assert.deepEqual(await open("tcp", []), [false, true]);
        assert.deepEqual(await open("all", []), [false, false]);
      }));

    test("ends on time with the agent dead", () =>
      host.try(kind, async (firewall, visitor) => {
        const { address4, address6 } = visitor.namespace;
        await firewall.ban([ban(address4, 3), ban(address6, 3)]);
        await firewall.close();
        assert.equal(await visitor.reaches(), false);
        await eventually("it is over", () => visitor.reaches());
        await eventually("for IPv6, too", () => visitor.reaches(address6));
        assert.equal(await firewall.count(), 0);
      }));

    test("may last longer than the kernel counts", () =>
      host.try(kind, async (firewall, visitor) => {
        const century = 3_155_760_000;
        await firewall.ban([
          ban(visitor.namespace.address4, century),
          ban("192.0.2.0/24", century),
        ]);
        assert.equal(await visitor.reaches(), false);
        for (const { seconds = Infinity } of await firewall.list()) assert.ok(seconds > 2_000_000);
      }));

    test("has no moment without it while all bans are replaced", () =>
      host.try(kind, async (firewall, visitor) => {
        const others = Array.from({ length: 500 }, (_, n) => ban(`10.1.${n >> 8}.${n & 255}`, 600));
        const own = ban(visitor.namespace.address4, 600);
        await firewall.ban([own]);
        const reached = await everReached(visitor, async () => {
          for (let round = 0; round < 10; round += 1) {
            await firewall.replace(round % 2 === 0 ? [...others, own] : [own]);
          }
        });
        assert.equal(reached, false);
      }));

    for (const next of BACK_ENDS) {
      test(`goes over to ${next} with no moment without it, and leaves nothing`, () =>
        host.try(kind, async (firewall, visitor, on) => {
          const bans = [ban(visitor.namespace.address4, 600), ban("192.0.2.0/24"), ban("fd00::1")];
          await firewall.ban(bans);
          const before = await listed(firewall);
          let other: Firewall | undefined;
          const reached = await everReached(visitor, async () => {
            other = await on.open(next);
          });
          assert.equal(reached, false);
          assert.deepEqual(await listed(other!), before);
          const { run } = on.host;
          const tables = await run("nft", ["list", "tables"]);
          assert.equal(tables.includes("inet fleetban"), next === "nftables");
          assert.equal((await run("ipset", ["list", "-name"])) !== "", next === "ipset");
          const rules = await run("iptables", ["-S"]);
          assert.equal(rules.includes("fleetban"), next !== "nftables");
          assert.equal(rules.includes("-s 192.0.2.0/24"), next === "iptables");
          assert.equal(rules.includes("--match-set"), next === "ipset");
        }));
    }

    test("is gone with everything else when fleetban is uninstalled", () =>
      host.try(kind, async (firewall, visitor, on) => {
        const { run } = on.host;
        await firewall.ban([ban(visitor.namespace.address4, 600), ban("192.0.2.0/24")]);
        assert.deepEqual(await on.uninstall(), []);
        assert.equal(await visitor.reaches(), true);
        for (const [command, ...args] of [
          ["iptables", "-S"],
          ["ip6tables", "-S"],
          ["ipset", "list"],
          ["nft", "list", "ruleset"],
        ] as const) {
          assert.doesNotMatch(await run(command, args), /fleetban/);
        }
        assert.deepEqual(await on.uninstall(), [], "and may be so again");
      }));
  });
}
