/** What an operator sees of a host whose firewall another program keeps open. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startNatsServer } from "../../services/standalone/nats-server.ts";
import { startCentre } from "../harness/centre.ts";
import { eventually } from "../harness/eventually.ts";
import { createNetwork, needsRoot } from "../harness/netns.ts";

const PEER = "-p tcp -m tcp --dport 143 -j ACCEPT";

test(
  "a host whose rule is overtaken again and again is not effective, and no ban is in force on it",
  { skip: needsRoot },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "fleetban-effective-"));
    try {
      await using network = await createNetwork(["mx"]);
      const namespace = network.host("mx");
      const { spawn, run } = namespace;
      const nats = await startNatsServer({ folder: join(folder, "nats"), port: 4222, spawn });
      try {
        await using centre = await startCentre({
          ...{ folder: join(folder, "centre"), natsUrl: "nats://127.0.0.1:4222", namespace },
          agentYaml: "firewall: { repairEvery: 1s }",
        });
        const isFirst = async () =>
          (await run("iptables", ["-S", "INPUT"])).includes(
            `\n-A INPUT ${PEER}\n-A INPUT -j fleetban`,
          );
        const insist = async () => {
          if (!(await isFirst())) await run("iptables", ["-I", "INPUT", "1", ...PEER.split(" ")]);
        };
        const shown = await eventually(
          "the host says so",
          async () => {
            await insist();
            const { stdout } = await centre.cli("host", "list");
            return stdout.includes("ipset (not effective)") && stdout;
          },
          60,
        );
        assert.match(shown, /^mx1 +high: +bans are not effective: iptables: in INPUT, "-p tcp/m);
        const failed = await centre.cli("ban", "add", "198.51.100.7", "--wait").catch(String);
        assert.match(JSON.stringify(failed), /bans are not effective on mx1/);
        await run("iptables", ["-F", "INPUT"]);
        await eventually("it is effective again", async () => {
          const { stdout } = await centre.cli("host", "list");
          return !stdout.includes("not effective");
        });
      } finally {
        await nats.stop();
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);
