/** Every back end on the kernel, in a network namespace of its own. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Firewall } from "../../services/agent/enforce/firewall/firewall.ts";
import { createIpsetFirewall } from "../../services/agent/enforce/firewall/ipset/ipset.ts";
import { createIptablesFirewall } from "../../services/agent/enforce/firewall/iptables/iptables.ts";
import { createNftablesFirewall } from "../../services/agent/enforce/firewall/nftables/nftables.ts";
import { BACK_ENDS } from "../harness/firewall-host.ts";
import { ban, FIREWALL_SUITE, JAIL, type Kernel } from "../harness/firewall-suite.ts";
import { createNetwork, needsRoot, type Namespace } from "../harness/netns.ts";
import { refusableRun } from "../harness/refusing-firewall.ts";

type BackEnd = (typeof BACK_ENDS)[number];

const CREATE: Record<BackEnd, (host: Pick<Namespace, "run" | "spawn">) => Firewall> = {
  ipset: ({ run, spawn: start }) => createIpsetFirewall({ chains: ["INPUT"], run, start }),
  nftables: ({ run }) => createNftablesFirewall({ chains: ["INPUT"], now: Date.now, run }),
  iptables: ({ run }) => createIptablesFirewall({ chains: ["INPUT"], now: Date.now, run }),
};

/** Tries something on a back end in a namespace of its own. */
async function onKernel(
  kind: BackEnd,
  check: (firewall: Firewall, host: Namespace, kernel: Kernel) => Promise<void>,
): Promise<void> {
  await using network = await createNetwork(["mx"]);
  const host = network.host("mx");
  const kernel: Kernel = { isRefusing: false };
  const firewall = CREATE[kind]({ run: refusableRun(host.run, kernel), spawn: host.spawn });
  try {
    await check(firewall, host, kernel);
  } finally {
    await firewall.close();
  }
}

const thousands = Array.from({ length: 5000 }, (_, index) =>
  ban(`10.${index >> 12}.${(index >> 6) & 63}.${index & 63}`, 600),
);

for (const kind of BACK_ENDS) {
  describe(`the ${kind} firewall`, { skip: needsRoot }, () => {
    for (const [sentence, check] of FIREWALL_SUITE) {
      test(sentence, () => onKernel(kind, (firewall, _, kernel) => check(firewall, kernel)));
    }

    test("takes thousands at once, live and by replacing", () =>
      onKernel(kind, async (firewall) => {
        await firewall.open([JAIL]);
        assert.deepEqual(await firewall.ban(thousands), []);
        assert.equal(await firewall.count(), 5000);
        await firewall.replace(thousands.slice(0, 4000));
        assert.equal(await firewall.count(), 4000);
        assert.deepEqual(await firewall.repair(), {
          repaired: [],
          bansLost: false,
          ineffective: [],
        });
      }));
  });
}

/** The commands that fill the sets which are about to be in force, and the kernel's answer. */
const FILLING = {
  ipset: {
    isFilling: (script: string) => script.includes("add fleetban-dovecot-4~ "),
    show: [...["ipset", "save", "fleetban-dovecot-4"]],
  },
  nftables: {
    isFilling: (script: string) => script.includes("add element inet fleetban ip4-dovecot.b "),
    show: [...["nft", "list", "set", "inet", "fleetban", "ip4-dovecot"]],
  },
};

for (const kind of ["ipset", "nftables"] as const) {
  test(
    `the ${kind} firewall takes a ban, and lets one go, before all bans are replaced`,
    { skip: needsRoot, timeout: 60_000 },
    async () => {
      await using network = await createNetwork(["mx"]);
      const { run, spawn } = network.host("mx");
      const { isFilling, show } = FILLING[kind];
      const [onFilling, filling] = withPromise();
      const [goOn, mayGoOn] = withPromise();
      const firewall = CREATE[kind]({
        async run(command, args, stdin) {
          const script = typeof stdin === "object" ? [...stdin].join("") : stdin;
          if (script !== undefined && isFilling(script)) {
            onFilling();
            await mayGoOn;
          }
          return run(command, args, script);
        },
        spawn,
      });
      try {
        await firewall.open([JAIL]);
        const [one, two, three] = [1, 2, 3].map((n) => ban(`198.51.100.${n}`, 600));
        await firewall.ban([one!, two!]);
        const replaced = firewall.replace([one!, two!]);
        await filling;
        await firewall.ban([three!, ban("203.0.113.0/24", 600)]);
        await firewall.unban([two!]);
        const [command = "", ...args] = show;
        const inForce = await run(command, args);
        assert.deepEqual(
          [1, 2, 3].map((n) => inForce.includes(`198.51.100.${n}`)),
          [true, false, true],
        );
        goOn();
        await replaced;
        const left = async () => (await firewall.list()).map(({ address }) => address).sort();
        const expected = ["198.51.100.1", "198.51.100.3", "203.0.113.0/24"];
        assert.deepEqual(await left(), expected);
        assert.deepEqual(await firewall.repair(), {
          repaired: [],
          bansLost: false,
          ineffective: [],
        });
        await firewall.replace([one!]);
        assert.deepEqual(await left(), ["198.51.100.1"]);
      } finally {
        goOn();
        await firewall.close();
      }
    },
  );
}

const isCounting = (command: string, args: readonly string[]) =>
  (command === "ipset" && args.includes("-terse")) || (command === "nft" && args.includes("set"));

for (const kind of ["ipset", "nftables"] as const) {
  test(
    `the ${kind} firewall takes a ban while its bans are counted, and counts the bans of all jails`,
    { skip: needsRoot, timeout: 60_000 },
    async () => {
      await using network = await createNetwork(["mx"]);
      const { run, spawn } = network.host("mx");
      const [onCounting, counting] = withPromise();
      const [goOn, mayGoOn] = withPromise();
      const firewall = CREATE[kind]({
        async run(command, args, stdin) {
          if (!isCounting(command, args)) return run(command, args, stdin);
          onCounting();
          await mayGoOn;
          return run(command, args, stdin);
        },
        spawn,
      });
      try {
        await firewall.open([JAIL, { name: "other", ports: [25] }]);
        const counted = firewall.count();
        await counting;
        await firewall.ban([ban("198.51.100.1", 600), ban("2001:db8::1", 600)]);
        await firewall.ban([{ ...ban("198.51.100.1", 600), jail: "other" }]);
        goOn();
        await counted;
        assert.equal(await firewall.count(), 3);
      } finally {
        goOn();
        await firewall.close();
      }
    },
  );
}

function withPromise(): [() => void, Promise<void>] {
  let settle = () => {};
  const promise = new Promise<void>((resolve) => (settle = resolve));
  return [settle, promise];
}

describe("the ipset firewall alone", { skip: needsRoot }, () => {
  test("shows one rule in INPUT, and behind it a chain with the jail's ports", () =>
    onKernel("ipset", async (firewall, host) => {
      await firewall.open([JAIL]);
      for (const iptables of ["iptables", "ip6tables"]) {
        const rules = await host.run(iptables, ["-L", "-n"]);
        assert.match(rules, /Chain INPUT.*\n.*\nfleetban +(?:all|0) [^]*\n\nChain FORWARD/);
        assert.match(rules, /\nfleetban-dovecot .*multiport dports 110,995,143,993/);
        assert.match(rules, /Chain fleetban-dovecot[^]*DROP .*match-set fleetban-dovecot-[46] src/);
      }
    }));

  test("puts more than 15 ports into several rules", () =>
    onKernel("ipset", async (firewall, host) => {
      const ports = Array.from({ length: 20 }, (_, index) => 1000 + index);
      await firewall.open([{ name: "many", ports }]);
      await firewall.open([{ name: "many", ports }]);
      const rules = await host.run("iptables", ["-S"]);
      assert.equal(rules.match(/multiport --dports .* -j fleetban-many/g)?.length, 2);
      assert.equal(rules.match(/-A INPUT /g)?.length, 1);
    }));

  test("repairs flushed and deleted rules; the sets have kept the bans", () =>
    onKernel("ipset", async (firewall, host) => {
      await firewall.open([JAIL]);
      await firewall.ban([ban("198.51.100.7", 600)]);
      const before = await host.run("iptables", ["-S"]);
      await host.run("iptables", ["-F"]);
      const { repaired, bansLost } = await firewall.repair();
      assert.equal(bansLost, false);
      assert.deepEqual(repaired, [
        "iptables: rules of fleetban-dovecot were changed",
        "iptables: rules of fleetban were changed",
        "iptables: INPUT did not lead to fleetban",
      ]);
      assert.equal(await host.run("iptables", ["-S"]), before);
      await host.run("iptables", ["-F"]);
      await host.run("iptables", ["-X"]);
      assert.equal((await firewall.repair()).repaired.length, 3);
      assert.equal(await host.run("iptables", ["-S"]), before);
    }));

  test("says which bans the kernel refuses, and has the others in force", async () => {
    await using network = await createNetwork(["mx"]);
    const { run, spawn: start } = network.host("mx");
    const firewall = createIpsetFirewall({ chains: ["INPUT"], run, start, maxMembers: 64 });
    try {
      await firewall.open([JAIL]);
      const bans = Array.from({ length: 100 }, (_, n) => ban(`10.1.0.${n}`, 600));
      for (const change of [firewall.replace, firewall.ban]) {
        const refused = await change(bans);
        assert.equal(refused.length + (await firewall.count()), 100);
        assert.ok(refused.length > 0);
        assert.match(refused[0]?.reason ?? "", /full/);
        const listed = new Set((await firewall.list()).map(({ address }) => address));
        assert.ok(refused.every(({ address }) => !listed.has(address)));
      }
    } finally {
      await firewall.close();
    }
  });

  test("says that bans are lost when a set was flushed or destroyed", () =>
    onKernel("ipset", async (firewall, host) => {
      await firewall.open([JAIL]);
      await firewall.ban([ban("198.51.100.7", 600)]);
      await host.run("ipset", ["flush"]);
      assert.deepEqual(await firewall.repair(), {
        repaired: ["ipset: set fleetban-dovecot-4 was emptied"],
        bansLost: true,
        ineffective: [],
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
    onKernel("ipset", async (firewall, host) => {
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
});

describe("the iptables firewall alone", { skip: needsRoot }, () => {
  test("shows a rule for every address, with its end, and a RETURN after them", () =>
    onKernel("iptables", async (firewall, host) => {
      await firewall.open([JAIL]);
      await firewall.ban([ban("198.51.100.7", 600), ban("2001:db8::7"), ban("203.0.113.0/24")]);
      const rules = await host.run("iptables", ["-L", "-n"]);
      assert.match(rules, /\nfleetban-dovecot .*multiport dports 110,995,143,993/);
      assert.match(
        rules,
        /Chain fleetban-dovecot[^]*DROP .* 203\.0\.113\.0\/24[^]*DROP .* 198\.51\.100\.7 .*until date 20\d\d-[^]*RETURN/,
      );
      const rules6 = await host.run("ip6tables", ["-S", "fleetban-dovecot"]);
      assert.match(rules6, /-s 2001:db8::7\/128 -j DROP\n-A fleetban-dovecot -j RETURN\n$/);
    }));

  test("repairs by itself what was flushed, deleted or added", () =>
    onKernel("iptables", async (firewall, host) => {
      await firewall.open([JAIL]);
      await firewall.ban([ban("198.51.100.7", 600), ban("198.51.100.8", 600)]);
      const before = await host.run("iptables", ["-S"]);
      const changed = {
        repaired: ["iptables: rules of fleetban-dovecot were changed"],
        bansLost: false,
        ineffective: [],
      };
      await host.run("iptables", ["-D", "fleetban-dovecot", "1"]);
      assert.deepEqual(await firewall.repair(), changed);
      assert.equal(await firewall.count(), 2);
      await host.run("iptables", ["-I", "fleetban-dovecot", "1", "-j", "ACCEPT"]);
      assert.deepEqual(await firewall.repair(), changed);
      await host.run("iptables", ["-F"]);
      assert.equal((await firewall.repair()).repaired.length, 3);
      await host.run("iptables", ["-F"]);
      await host.run("iptables", ["-X"]);
      assert.equal((await firewall.repair()).repaired.length, 3);
      const sorted = (text: string) => text.split("\n").sort();
      assert.deepEqual(sorted(await host.run("iptables", ["-S"])), sorted(before));
    }));

  test("bans and unbans although somebody has emptied its chain", () =>
    onKernel("iptables", async (firewall, host) => {
      await firewall.open([JAIL]);
      await firewall.ban([ban("198.51.100.7", 600), ban("198.51.100.8", 600)]);
      await host.run("iptables", ["-F"]);
      await firewall.unban([ban("198.51.100.7")]);
      assert.deepEqual(
        (await firewall.list()).map(({ address }) => address),
        ["198.51.100.8"],
      );
      await host.run("iptables", ["-F"]);
      await host.run("iptables", ["-X"]);
      assert.deepEqual(await firewall.ban([ban("198.51.100.9", 600)]), []);
      assert.equal(await firewall.count(), 2);
    }));

  test("sweeps rules of bans that are over, also those of an agent that is dead", () =>
    onKernel("iptables", async (firewall, host) => {
      const clock = { ahead: 0 };
      const now = () => Date.now() + clock.ahead;
      const dead = createIptablesFirewall({ chains: ["INPUT"], now, run: host.run });
      await dead.open([JAIL]);
      await dead.ban([ban("198.51.100.7", 600), ban("198.51.100.8")]);
      const rules = async () =>
        (await host.run("iptables", ["-S", "fleetban-dovecot"])).match(/-s \S+/g);
      clock.ahead = 602_000;
      assert.equal(await dead.count(), 1);
      assert.equal((await rules())?.length, 2);
      assert.deepEqual(await dead.repair(), { repaired: [], bansLost: false, ineffective: [] });
      assert.deepEqual(await rules(), ["-s 198.51.100.8/32"]);
      clock.ahead = -900_000;
      await dead.ban([ban("198.51.100.9", 600)]);
      await firewall.open([JAIL]);
      assert.deepEqual(await rules(), ["-s 198.51.100.8/32"]);
    }));
});

describe("the nftables firewall alone", { skip: needsRoot }, () => {
  const nft = (host: Namespace, script: string) => host.run("nft", ["-f", "-"], script);

  test("is one table, before the filter", () =>
    onKernel("nftables", async (firewall, host) => {
      await firewall.open([JAIL, { name: "all", ports: [] }]);
      await firewall.ban([ban("203.0.113.0/24")]);
      const table = await host.run("nft", ["list", "table", "inet", "fleetban"]);
      assert.match(
        table,
        /chain input \{\s+type filter hook input priority -?\w* ?- ?10; policy accept;/,
      );
      assert.match(
        table,
        /tcp dport \{ 110, 143, 993, 995 \} jump jail-dovecot[^}]*\s+jump jail-all/,
      );
      assert.match(table, /ip saddr & 255\.255\.255\.0 == @ip4-dovecot\/24 drop/);
    }));

  test("repairs rules; the sets have kept the bans", () =>
    onKernel("nftables", async (firewall, host) => {
      await firewall.open([JAIL]);
      await firewall.ban([ban("198.51.100.7", 600)]);
      const before = await host.run("nft", ["-t", "list", "ruleset"]);
      await nft(host, "flush chain inet fleetban input\nflush chain inet fleetban jail-dovecot\n");
      assert.deepEqual(await firewall.repair(), {
        repaired: [
          "nftables: rules of input were changed",
          "nftables: rules of jail-dovecot were changed",
        ],
        bansLost: false,
        ineffective: [],
      });
      assert.equal(await host.run("nft", ["-t", "list", "ruleset"]), before);
      assert.equal(await firewall.count(), 1);
    }));

  test("says that bans are lost when a set was flushed or everything deleted", () =>
    onKernel("nftables", async (firewall, host) => {
      await firewall.open([JAIL]);
      const bans = [ban("198.51.100.7", 600), ban("203.0.113.0/24")];
      await firewall.ban(bans);
      await nft(host, "flush set inet fleetban ip4-dovecot\n");
      assert.deepEqual(await firewall.repair(), {
        repaired: ["nftables: set ip4-dovecot was emptied"],
        bansLost: true,
        ineffective: [],
      });
      await nft(host, "flush ruleset\n");
      const { repaired, bansLost } = await firewall.repair();
      assert.equal(bansLost, true);
      assert.equal(repaired[0], "nftables: table inet fleetban was missing");
      await firewall.replace(bans);
      assert.equal(await firewall.count(), 2);
      assert.deepEqual(await firewall.repair(), { repaired: [], bansLost: false, ineffective: [] });
    }));

  test("replaces its sets by turns, and leaves none behind, also after an agent that was killed", () =>
    onKernel("nftables", async (firewall, host) => {
      const sets = async () => {
        const table = await host.run("nft", ["-t", "list", "table", "inet", "fleetban"]);
        return [...table.matchAll(/set (\S+) \{/g)].map(([, name]) => name).sort();
      };
      const bans = [ban("198.51.100.7", 600), ban("203.0.113.0/24")];
      await firewall.open([JAIL]);
      await firewall.replace(bans);
      const second = ["ip4-dovecot.b", "ip4-dovecot/24.b", "ip6-dovecot.b"];
      assert.deepEqual(await sets(), second);
      await nft(host, "add set inet fleetban ip4-dovecot { type ipv4_addr; flags timeout; }\n");
      const next = CREATE.nftables(host);
      await next.open([JAIL]);
      assert.deepEqual(await sets(), second);
      assert.equal(await next.count(), 2);
      await next.replace(bans);
      assert.deepEqual(await sets(), ["ip4-dovecot", "ip4-dovecot/24", "ip6-dovecot"]);
      await nft(host, "flush set inet fleetban ip4-dovecot\n");
      assert.deepEqual((await next.repair()).repaired, ["nftables: set ip4-dovecot was emptied"]);
    }));

  test("bans and unbans although somebody has deleted its table", () =>
    onKernel("nftables", async (firewall, host) => {
      await firewall.open([JAIL]);
      await firewall.ban([ban("198.51.100.7", 600)]);
      await nft(host, "flush ruleset\n");
      assert.deepEqual(await firewall.ban([ban("198.51.100.8", 600)]), []);
      assert.equal(await firewall.count(), 1);
      await nft(host, "flush ruleset\n");
      await firewall.unban([ban("198.51.100.8")]);
      assert.equal(await firewall.count(), 0);
    }));
});
