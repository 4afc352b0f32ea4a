/** An agent on a host where a back end cannot be used. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { startChild, type Child } from "../../services/standalone/child.ts";
import { eventually } from "../harness/eventually.ts";
import { PROGRAMS, withFirewallPrograms } from "../harness/firewall-programs.ts";
import { createNetwork, needsRoot, type Namespace } from "../harness/netns.ts";

const MAIN = resolve(import.meta.dirname, "../../dist/services/agent/main.js");

const hasLegacy =
  needsRoot === false && execFileSync("iptables", ["--version"]).includes("(legacy)");

interface Started {
  child: Child;
  output: () => string;
  /** Waits for its end. */
  code: () => Promise<number | NodeJS.Signals>;
}

interface OnHost {
  host: Namespace;
  /** Starts the agent's program there. */
  start(command: string, backend: string): Promise<Started>;
}

async function onHost(
  programs: Parameters<typeof withFirewallPrograms>[1],
  check: (on: OnHost) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-firewall-"));
  const children: Child[] = [];
  try {
    await using network = await createNetwork(["mx"]);
    const host = network.host("mx");
    const [unshare = "", ...prefix] = await withFirewallPrograms(folder, programs);
    const config = join(folder, "agent.yaml");
    try {
      await check({
        host,
        async start(command, backend) {
          let output = "";
          await writeFile(config, `stateDir: ${folder}/state\nfirewall: { backend: ${backend} }\n`);
          const child = await startChild(unshare, {
            args: [...prefix, process.execPath, MAIN, command, "--config", config],
            spawn: host.spawn,
            onOutput: (chunk) => (output += chunk.toString()),
          });
          children.push(child);
          let ended: number | NodeJS.Signals | undefined;
          void child.ended.then((code) => (ended = code));
          const code = () => eventually("it has ended", () => ended);
          return { child, output: () => output, code };
        },
      });
    } finally {
      for (const child of children) await child.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

describe("an agent on a host without ipset", { skip: needsRoot }, () => {
  test("does not start when nothing else is configured, and says what to install: 69", () =>
    onHost({ missing: ["ipset"] }, async ({ host, start }) => {
      const { code, output } = await start("run", "ipset");
      assert.equal(await code(), 69);
      assert.equal(
        output(),
        "fleetban-agent: firewall: ipset: is not there; install it: apt-get install ipset\n",
      );
      assert.doesNotMatch(await host.run("iptables", ["-S"]), /fleetban/);
    }));

  test("takes the next back end, and says why", () =>
    onHost({ missing: ["ipset"] }, async ({ host, start }) => {
      const { child, output } = await start("run", "[ipset, nftables, iptables]");
      await eventually("nftables is in use", async () =>
        (await host.run("nft", ["list", "tables"])).includes("inet fleetban"),
      );
      const said = output()
        .split("\n")
        .find((line) => line.includes("cannot be used"));
      assert.match(said ?? "", /"level":"warn".*apt-get install ipset.*"inUse":"nftables"/);
      await child.stop();
      const check = await start("check", "[ipset, nftables]");
      await check.code();
      assert.match(
        check.output(),
        /^ok +firewall: nftables can be used \(not the first choice: ipset: is not there; install it: apt-get install ipset\)$/m,
      );
    }));

  test("removes everything all the same when it is uninstalled", () =>
    onHost({ missing: ["ipset"] }, async ({ host, start }) => {
      const { child } = await start("run", "iptables");
      await eventually("iptables is in use", async () =>
        (await host.run("iptables", ["-S"])).includes("-N fleetban-dovecot"),
      );
      await child.stop();
      const uninstall = await start("uninstall", "iptables");
      assert.equal(await uninstall.code(), 0);
      assert.match(uninstall.output(), /^removed: /);
      assert.doesNotMatch(await host.run("iptables", ["-S"]), /fleetban/);
    }));
});

describe("an agent on a kernel without ipset", { skip: needsRoot }, () => {
  test("says what to load, and keeps trying, when nothing else is configured", () =>
    onHost({ unanswered: ["ipset"] }, async ({ start }) => {
      const { child, output } = await start("run", "ipset");
      const said = await eventually("it says so", () =>
        output()
          .split("\n")
          .find((line) => line.includes("keeps trying")),
      );
      assert.match(said, /"level":"error".*ipset: cannot be used: .*Cannot open session to kernel/);
      assert.match(said, /modprobe -a ip_set ip_set_hash_net xt_set/);
      await child.stop();
    }));

  test("takes the next back end, and says why", () =>
    onHost({ unanswered: ["ipset"] }, async ({ host, start }) => {
      const { output } = await start("run", "[ipset, iptables]");
      await eventually("iptables is in use", async () =>
        (await host.run("iptables", ["-S"])).includes("-A fleetban-dovecot -j RETURN"),
      );
      assert.match(output(), /modprobe -a ip_set ip_set_hash_net xt_set.*"inUse":"iptables"/);
    }));

  test(
    "has a check that says of each back end why it cannot be used, when none can: 69",
    { skip: hasLegacy && "iptables-legacy does not ask through netlink, and is answered" },
    () =>
      onHost({ unanswered: [...PROGRAMS] }, async ({ start }) => {
        const { code, output } = await start("check", "[ipset, nftables, iptables]");
        assert.equal(await code(), 69);
        const failed = [...output().matchAll(/^FAIL +firewall: .*modprobe -a (.*)$/gm)];
        assert.deepEqual(
          failed.map(([, modules]) => modules),
          ["ip_set ip_set_hash_net xt_set", "nf_tables nf_tables_inet", "xt_multiport xt_time"],
        );
      }),
  );
});

describe("an agent on a kernel without IPv6", { skip: needsRoot }, () => {
  const programs = { missing: ["ip6tables", "ip6tables-restore"], ipv6: "absent" } as const;
  for (const kind of ["ipset", "iptables"] as const) {
    test(`uses ${kind} without ip6tables`, () =>
      onHost({ ...programs, missing: [...programs.missing] }, async ({ host, start }) => {
        const { child } = await start("run", kind);
        await eventually("its rules stand", async () =>
          (await host.run("iptables", ["-S"])).includes("-A INPUT -j fleetban"),
        );
        assert.doesNotMatch(await host.run("ip6tables", ["-S"]), /fleetban/);
        await child.stop();
        const check = await start("check", kind);
        await check.code();
        assert.match(check.output(), new RegExp(`^ok +firewall: ${kind} can be used$`, "m"));
        const uninstall = await start("uninstall", kind);
        assert.equal(await uninstall.code(), 0);
        assert.doesNotMatch(await host.run("iptables", ["-S"]), /fleetban/);
      }));
  }

  test("but with IPv6 does not start without ip6tables, and says what to install: 69", () =>
    onHost({ missing: ["ip6tables"] }, async ({ start }) => {
      const { code, output } = await start("run", "ipset");
      assert.equal(await code(), 69);
      assert.match(
        output(),
        /firewall: ip6tables: is not there; install it: apt-get install iptables/,
      );
    }));
});

test("nftables is refused for a chain that no hook stands for", { skip: needsRoot }, () =>
  onHost({}, async ({ host, start }) => {
    const { code, output } = await start("run", "nftables, chains: [INPUT, MYCHAIN]");
    assert.equal(await code(), 69);
    assert.match(
      output(),
      /firewall\.chains: expected only INPUT, FORWARD, DOCKER-USER, got MYCHAIN/,
    );
    assert.doesNotMatch(await host.run("nft", ["list", "tables"]), /fleetban/);
  }),
);

describe("an agent that is changed to dry-run", { skip: needsRoot }, () => {
  test("says what the back end before has left in force, until it is removed", () =>
    onHost({}, async ({ host, start }) => {
      const before = await start("run", "ipset");
      await eventually("ipset is in use", async () =>
        (await host.run("iptables", ["-S"])).includes("--match-set fleetban-dovecot-4"),
      );
      await host.run("ipset", ["add", "fleetban-dovecot-4", "198.51.100.7", "timeout", "1000"]);
      await before.child.stop();
      const dry = await start("run", "dry-run");
      await eventually("it says so", () =>
        /"level":"warn".*dry-run: 1 ban of the back end ipset .*fleetban-agent uninstall/.test(
          dry.output(),
        ),
      );
      await dry.child.stop();
      assert.equal(await (await start("uninstall", "dry-run")).code(), 0);
      const again = await start("run", "dry-run");
      await eventually("it is at work", () => again.output().includes("would install the rules"));
      await again.child.stop();
      assert.doesNotMatch(again.output(), /back end ipset/);
    }));
});
