/** How every firewall back end behaves; run against each of them. */
import assert from "node:assert/strict";
import type { Firewall, TimedBan } from "../../services/agent/enforce/firewall/firewall.ts";
import { FirewallError } from "../../services/agent/enforce/firewall/command.ts";
import { parseNetwork, type Address } from "../../services/wire/address.ts";

export const network = (text: string): Address => parseNetwork(text) ?? assert.fail(text);
export const ban = (address: string, seconds?: number, jail = "dovecot"): TimedBan => ({
  jail,
  address: network(address),
  seconds,
});

export const JAIL = { name: "dovecot", ports: [110, 995, 143, 993] };
const SUBMISSION = { name: "submission", ports: [587] };

const addresses = async (firewall: Firewall) =>
  (await firewall.list()).map(({ jail, address }) => `${jail} ${address}`).sort();

/** What decides whether a change of the firewall happens. */
export interface Kernel {
  /** Every script of changes fails as a whole. */
  isRefusing: boolean;
  /** Its words, where it is no real one. */
  says?: string;
}

type Check = (firewall: Firewall, kernel: Kernel) => Promise<void>;

/** Sentences about a firewall, and how each is tried on a fresh one. */
export const FIREWALL_SUITE: readonly [string, Check][] = [
  [
    "holds bans of both families, of networks and for ever, and lists them",
    async (firewall) => {
      await firewall.open([JAIL]);
      const bans = [
        ban("198.51.100.7", 600),
        ban("2001:db8::7"),
        ban("203.0.113.0/24", 600),
        ban("2001:db8:1::/48", 600),
      ];
      assert.deepEqual(await firewall.ban(bans), []);
      const listed = await firewall.list();
      assert.equal(listed.find(({ address }) => address === "2001:db8::7")?.seconds, undefined);
      const seconds = listed.find(({ address }) => address === "198.51.100.7")?.seconds ?? 0;
      assert.ok(seconds > 590 && seconds <= 600, `${seconds} seconds left of 600`);
      assert.deepEqual(await addresses(firewall), [
        "dovecot 198.51.100.7",
        "dovecot 2001:db8:1::/48",
        "dovecot 2001:db8::7",
        "dovecot 203.0.113.0/24",
      ]);
      assert.equal(await firewall.count(), 4);
    },
  ],
  [
    "may be opened again and keeps what is in force",
    async (firewall) => {
      await firewall.open([JAIL]);
      await firewall.ban([ban("198.51.100.7", 600)]);
      await firewall.open([JAIL]);
      await firewall.open([JAIL, SUBMISSION]);
      assert.deepEqual(await addresses(firewall), ["dovecot 198.51.100.7"]);
    },
  ],
  [
    "drops a jail that is gone, with its bans",
    async (firewall) => {
      await firewall.open([JAIL, SUBMISSION]);
      await firewall.ban([ban("198.51.100.7", 600), ban("198.51.100.8", 600, "submission")]);
      await firewall.open([JAIL]);
      assert.deepEqual(await addresses(firewall), ["dovecot 198.51.100.7"]);
      await firewall.open([JAIL, SUBMISSION]);
      assert.deepEqual(await addresses(firewall), ["dovecot 198.51.100.7"]);
    },
  ],
  [
    "replaces what is in force by exactly what is given",
    async (firewall) => {
      await firewall.open([JAIL]);
      await firewall.ban([ban("198.51.100.7", 600), ban("2001:db8::7", 600)]);
      assert.deepEqual(await firewall.replace([ban("198.51.100.8", 600)]), []);
      assert.deepEqual(await addresses(firewall), ["dovecot 198.51.100.8"]);
    },
  ],
  [
    "takes bans, and lets them go, while it replaces all",
    async (firewall) => {
      await firewall.open([JAIL]);
      await firewall.ban([ban("198.51.100.7", 600)]);
      const many = Array.from({ length: 60 }, (_, n) => ban(`10.1.0.${n}`, 600));
      const replacing = firewall.replace(many);
      assert.deepEqual(await firewall.ban([ban("198.51.100.8", 600), ban("10.1.0.2", 60)]), []);
      await firewall.unban([ban("10.1.0.1"), ban("198.51.100.7")]);
      assert.deepEqual(await replacing, []);
      const expected = ["198.51.100.8", ...many.map(({ address }) => address)]
        .filter((address) => address !== "10.1.0.1")
        .map((address) => `dovecot ${address}`);
      assert.deepEqual(await addresses(firewall), expected.sort());
      const renewed = (await firewall.list()).find(({ address }) => address === "10.1.0.2");
      assert.ok((renewed?.seconds ?? 600) <= 60, `${renewed?.seconds} seconds left of 60`);
      assert.deepEqual(await firewall.repair(), { repaired: [], bansLost: false, ineffective: [] });
    },
  ],
  [
    "renews a ban, longer or shorter",
    async (firewall) => {
      await firewall.open([JAIL]);
      for (const seconds of [600, 6000, 60]) {
        await firewall.ban([ban("198.51.100.7", seconds)]);
        const left = (await firewall.list())[0]?.seconds ?? 0;
        assert.ok(left > seconds - 5 && left <= seconds, `${left} left of ${seconds}`);
      }
    },
  ],
  [
    "unbans, also what is not banned",
    async (firewall) => {
      await firewall.open([JAIL]);
      await firewall.ban([ban("198.51.100.7", 600), ban("198.51.100.8", 600)]);
      await firewall.unban([ban("198.51.100.7"), ban("192.0.2.1")]);
      assert.deepEqual(await addresses(firewall), ["dovecot 198.51.100.8"]);
    },
  ],
  [
    "refuses a ban in a jail that it does not have, and takes the others",
    async (firewall) => {
      await firewall.open([JAIL]);
      const refused = await firewall.ban([
        ban("198.51.100.7", 600, "nosuch"),
        ban("198.51.100.8", 600),
      ]);
      assert.deepEqual(
        refused.map(({ address }) => address),
        ["198.51.100.7"],
      );
      assert.deepEqual(await addresses(firewall), ["dovecot 198.51.100.8"]);
    },
  ],
  [
    "keeps what is in force where the kernel refuses a change as a whole, and takes it the next time",
    async (firewall, kernel) => {
      await firewall.open([JAIL]);
      const [first, second] = [ban("198.51.100.7", 600), ban("2001:db8::7", 600)];
      const [third, fourth] = [ban("198.51.100.8", 600), ban("2001:db8::8", 600)];
      await firewall.ban([first, second]);
      const before = await addresses(firewall);
      kernel.isRefusing = true;
      await assert.rejects(firewall.replace([third, fourth]), FirewallError);
      assert.deepEqual(await addresses(firewall), before);
      kernel.isRefusing = false;
      // What was refused is not taken for done.
      assert.deepEqual(await firewall.ban([third]), []);
      assert.deepEqual(await addresses(firewall), [
        "dovecot 198.51.100.7",
        "dovecot 198.51.100.8",
        "dovecot 2001:db8::7",
      ]);
      assert.deepEqual(await firewall.replace([third, fourth]), []);
      assert.deepEqual(await addresses(firewall), ["dovecot 198.51.100.8", "dovecot 2001:db8::8"]);
      assert.deepEqual(await firewall.repair(), { repaired: [], bansLost: false, ineffective: [] });
    },
  ],
  [
    "does not take a ban or its end for done that the kernel has refused",
    async (firewall, kernel) => {
      await firewall.open([JAIL]);
      const some = Array.from({ length: 300 }, (_, n) => ban(`10.1.${n >> 8}.${n & 255}`, 600));
      kernel.isRefusing = true;
      const refused = await firewall.ban(some).catch((error: unknown) => {
        assert.ok(error instanceof FirewallError, String(error));
        return some;
      });
      assert.equal(await firewall.count(), some.length - refused.length);
      kernel.isRefusing = false;
      assert.deepEqual(await firewall.ban(some), []);
      assert.equal(await firewall.count(), some.length);
      kernel.isRefusing = true;
      await assert.rejects(firewall.unban(some), FirewallError);
      assert.equal(await firewall.count(), some.length);
      kernel.isRefusing = false;
      await firewall.unban(some);
      assert.equal(await firewall.count(), 0);
    },
  ],
  [
    "has nothing to repair when nothing was touched",
    async (firewall) => {
      await firewall.open([JAIL]);
      await firewall.ban([ban("198.51.100.7", 600)]);
      assert.deepEqual(await firewall.repair(), { repaired: [], bansLost: false, ineffective: [] });
    },
  ],
];
