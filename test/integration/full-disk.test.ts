/** A mail host whose state cannot be written: its firewall, and what it keeps for the next boot. */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { run } from "../../services/agent/enforce/firewall/command.ts";
import type { Reply } from "../../services/wire/api.ts";
import { eventually } from "../harness/eventually.ts";
import { createFleet, type Fleet } from "../harness/fleet.ts";
import { needsRoot } from "../harness/netns.ts";

const [KEPT, WITH_FULL_DISK, READ_ONLY] = ["198.51.100.1", "198.51.100.2", "198.51.100.3"] as const;

/** The agent's state on a file system of its own, of 64 kB. */
async function shrinkState({ hosts }: Fleet): Promise<{ state: string } & AsyncDisposable> {
  const { agent, mailLog } = hosts[0]!;
  const state = join(dirname(mailLog), "state");
  await agent.stop();
  await rm(state, { recursive: true });
  await mkdir(state);
  await run("mount", ["-t", "tmpfs", "-o", "size=64k", "fleetban-test", state]);
  await agent.start();
  return {
    state,
    async [Symbol.asyncDispose]() {
      await agent.stop();
      await run("umount", ["--lazy", state]);
    },
  };
}

/** As after a boot: no rules, no sets. */
async function forget({ hosts }: Fleet): Promise<void> {
  const { run: inside } = hosts[0]!.namespace;
  for (const iptables of ["iptables", "ip6tables"]) {
    await inside(iptables, ["-F"]);
    await inside(iptables, ["-X"]);
  }
  await inside("ipset", ["destroy"]);
}

test(
  "bans are in force although nothing can be written, and the last bans that could be stay whole",
  { skip: needsRoot },
  async () => {
    await using fleet = await createFleet({ hosts: 1, withDovecot: false });
    const { agent } = fleet.hosts[0]!;
    await using small = await shrinkState(fleet);
    const { state } = small;
    const add = async (address: string) => {
      const { code, stdout, stderr } = await fleet.cli("ban", "add", address, "--wait");
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^in force on 1\/1 hosts/m);
      await fleet.untilInKernel(address, true);
    };
    const file = join(state, "bans");
    const read = () => readFile(file, "utf8").catch(() => "");
    const cannot = (times: number) =>
      eventually(
        "it says so in its log and in host list",
        async () => {
          if (agent.log().split("state cannot be written").length <= times) return false;
          const { hosts } = await fleet.ask<Reply<"host.list">>("host", "list");
          return hosts[0]?.status?.warnings.some(({ code }) => code === "state-not-written");
        },
        40,
      );

    await eventually("it is up", async () => (await fleet.cli("ban", "list")).code === 0);
    await add(KEPT);
    await eventually("it is kept", async () => (await read()).includes(KEPT), 30);

    const filler = join(state, "filler");
    await assert.rejects(writeFile(filler, Buffer.alloc(100_000)), { code: "ENOSPC" });
    const before = await read();
    await add(WITH_FULL_DISK);
    await cannot(1);
    assert.equal(await read(), before);
    assert.deepEqual(
      (await readdir(state)).filter((each) => each.endsWith(".new")),
      [],
    );

    // A boot while NATS is away.
    await fleet.nats.stop();
    await agent.stop();
    await forget(fleet);
    await agent.start();
    await fleet.untilInKernel(KEPT, true);
    await fleet.nats.start();
    await fleet.untilInKernel(WITH_FULL_DISK, true, 30);

    await rm(filler);
    await eventually("all are kept", async () => (await read()).includes(WITH_FULL_DISK), 30);
    const whole = await read();
    await run("mount", ["-o", "remount,ro", state]);
    await add(READ_ONLY);
    await cannot(2);
    assert.equal(await read(), whole);
    await run("mount", ["-o", "remount,rw", state]);
    await eventually("all are kept", async () => (await read()).includes(READ_ONLY), 30);
  },
);
