/** What an operator sees of a host that had to take another firewall back end. */
import assert from "node:assert/strict";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startNatsServer } from "../../services/standalone/nats-server.ts";
import { startCentre } from "../harness/centre.ts";
import { eventually } from "../harness/eventually.ts";
import { withFirewallPrograms } from "../harness/firewall-programs.ts";
import { createNetwork, needsRoot } from "../harness/netns.ts";

test(
  "host list shows the back end in use, that it is not the first choice, and what to install",
  { skip: needsRoot },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "fleetban-shown-"));
    try {
      await using network = await createNetwork(["mx"]);
      const namespace = network.host("mx");
      const { spawn } = namespace;
      const nats = await startNatsServer({ folder: join(folder, "nats"), port: 4222, spawn });
      try {
        await using centre = await startCentre({
          ...{ folder: join(folder, "centre"), natsUrl: "nats://127.0.0.1:4222", namespace },
          agentPrefix: await withFirewallPrograms(folder, { missing: ["ipset"] }),
          agentYaml: "firewall: { backend: [ipset, nftables] }",
        });
        const { stdout } = await centre.cli("host", "list");
        assert.match(stdout, /^mx1 +up +.* nftables \(not the first choice\) +0 +yes/m);
        assert.match(
          stdout,
          /^mx1 +medium: +ipset: is not there; install it: apt-get install ipset$/m,
        );
        const added = await centre.cli("ban", "add", "198.51.100.7", "--wait");
        assert.match(added.stdout, /^in force on 1\/1 hosts/m);
        const { warnings } = await centre.status();
        assert.ok(warnings.some(({ text }) => /^host mx1: ipset: is not there/.test(text)));
        assert.match(await namespace.run("nft", ["list", "ruleset"]), /198\.51\.100\.7/);
      } finally {
        await nats.stop();
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);

test(
  "an agent whose firewall refuses its rules at the start reports failures, and bans once they are taken",
  { skip: needsRoot },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "fleetban-shown-"));
    try {
      await using network = await createNetwork(["mx"]);
      const namespace = network.host("mx");
      const { spawn } = namespace;
      const nats = await startNatsServer({ folder: join(folder, "nats"), port: 4222, spawn });
      try {
        await using centre = await startCentre({
          ...{ folder: join(folder, "centre"), natsUrl: "nats://127.0.0.1:4222", namespace },
          agentPrefix: await withFirewallPrograms(folder, { unanswered: ["ipset"] }),
          agentYaml: "firewall: { backend: ipset }",
        });
        await centre.fail("198.51.100.7", 5);
        await eventually("it is banned", () => centre.isBanned("198.51.100.7"), 20);
        const { stdout } = await centre.cli("host", "list");
        assert.match(stdout, /^mx1 +up .* ipset /m);
        const { warnings } = await centre.status();
        const refusal = warnings.find(({ text }) => text.includes("the firewall has refused"));
        assert.match(refusal?.text ?? "", /ipset .*Cannot open session to kernel/);
        const added = await centre.cli("ban", "add", "198.51.100.8", "--wait");
        assert.doesNotMatch(added.stdout, /^in force on 1\/1/m);
        // The kernel's module is loaded.
        await copyFile(join(folder, "real/ipset"), join(folder, "sbin/ipset"));
        const inKernel = () =>
          namespace.run("ipset", ["list", "fleetban-dovecot-4"]).catch(() => "");
        await eventually(
          "both are in the kernel",
          async () => {
            const listed = await inKernel();
            return listed.includes("198.51.100.7") && listed.includes("198.51.100.8");
          },
          90,
        );
        assert.match(await namespace.run("iptables", ["-S", "INPUT"]), /-j fleetban$/m);
        await eventually(
          "no warning is left",
          async () => {
            const { warnings: left } = await centre.status();
            return !left.some(({ text }) => text.includes("firewall"));
          },
          60,
        );
      } finally {
        await nats.stop();
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);
