/**
 * A host, or the way to it, stands still while bans are read from NATS: longer than NATS's heartbeat
 * takes to come, shorter than anybody takes for an end. Nothing may be unbanned by that.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "@nats-io/transport-node";
import { openBanStore } from "../../services/coordinator/buckets/ban-store.ts";
import { ensureStreams } from "../../services/coordinator/upkeep/ensure-streams.ts";
import { createLog } from "../../services/process/log.ts";
import { bucketStream } from "../../services/nats/follow-bucket.ts";
import { parseAddress } from "../../services/wire/address.ts";
import { BANS_BUCKET } from "../../services/wire/subjects.ts";
import { startAgentHost, writeBans, type AgentHost } from "../harness/agent-host.ts";
import { eventually } from "../harness/eventually.ts";
import { needsRoot } from "../harness/netns.ts";
import { startTestNats } from "../harness/servers.ts";
import { startSlowLink } from "../harness/slow-link.ts";

const BANS = 20_000;
const FEWER = 6_000;
const SET = "fleetban-dovecot-4";
const STALL_MS = 3_500;

const LAST = parseAddress("192.0.2.1")!;
const addresses = Array.from({ length: BANS }, (_, n) =>
  parseAddress(`10.0.${n >> 8}.${n & 255}`)!,
);

/**
 * Stops the process that its standard input names, for a while, as soon as it has begun to read the
 * bans. Says how many of them NATS holds back meanwhile.
 */
const STOP_WHILE_READING = `
  import { connect } from ${JSON.stringify(import.meta.resolve("@nats-io/transport-node"))};
  import { jetstreamManager } from ${JSON.stringify(import.meta.resolve("@nats-io/jetstream"))};
  const [stream, bans, stallMs] = process.argv.slice(1);
  const connection = await connect({ servers: "127.0.0.1" });
  const { consumers } = await jetstreamManager(connection);
  // NATS forgets a reader that was killed only later.
  const before = new Set((await consumers.list(stream).next()).map(({ name }) => name));
  const pid = Number((await process.stdin.take(1).toArray())[0]);
  for (let isFound = false; !isFound;) {
    const reader = (await consumers.list(stream).next()).find(({ name }) => !before.has(name));
    if (!reader || reader.delivered.consumer_seq === 0) continue;
    isFound = true;
    process.kill(pid, "SIGSTOP");
    setTimeout(() => process.kill(pid, "SIGCONT"), Number(stallMs));
    // NATS sends some more before it holds the rest back.
    await new Promise((resolve) => setTimeout(resolve, stallMs / 2));
    const { delivered } = await consumers.info(stream, reader.name);
    process.stdout.write(String(Number(bans) - delivered.consumer_seq));
  }
  await connection.close();`;

/** How often the agent has said that it has all bans. */
const completions = ({ agent }: AgentHost) => agent.log().split("all bans are in force").length - 1;

/**
 * Returns how many bans NATS holds back while the agent is stopped: none where the agent had read
 * them all before it could be stopped.
 */
async function restartAndStop(host: AgentHost): Promise<number> {
  const { agent, namespace } = host;
  const before = completions(host);
  await agent.stop("SIGKILL");
  const script = ["--input-type=module", "--eval", STOP_WHILE_READING];
  const args = [bucketStream(BANS_BUCKET), String(BANS), String(STALL_MS)];
  const stopping = namespace.spawn(process.execPath, [...script, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await agent.start();
  stopping.stdin!.end(String(agent.child().pid));
  const heldBack = stopping.stdout!.toArray();
  const isDone = eventually("all bans are read", () => completions(host) > before, 60);
  await Promise.race([heldBack, isDone]);
  stopping.kill();
  return Number(Buffer.concat(await heldBack).toString());
}

async function inKernel({ namespace }: AgentHost): Promise<number> {
  const shown = await namespace.run("ipset", ["list", "-t", SET]);
  return Number(/Number of entries: (\d+)/.exec(shown)?.[1]);
}

test(
  "an agent that is stopped while it reads the bans keeps all of them in the kernel throughout",
  { skip: needsRoot },
  async () => {
    await using host = await startAgentHost(addresses);
    const { agent } = host;
    await eventually("all bans are in force", () => completions(host) === 1, 60);
    assert.equal(await inKernel(host), BANS);
    let before = 0;
    do {
      before = completions(host);
    } while ((await restartAndStop(host)) === 0);
    const counts = new Set<number>();
    await eventually(
      "all bans are in force again",
      async () => {
        counts.add(await inKernel(host));
        return completions(host) > before;
      },
      60,
    );
    counts.add(await inKernel(host));
    assert.deepEqual([...counts], [BANS]);
    assert.match(
      agent
        .log()
        .split("\n")
        .findLast((line) => line.includes("all bans are"))!,
      /"bans":20000\b/,
    );
  },
);

test("a coordinator whose link stands still while it reads the bans takes none of them for lost", async (t) => {
  await using nats = await startTestNats();
  const direct = await connect({ servers: nats.url });
  t.after(() => direct.close());
  await ensureStreams(direct, { longestFindtime: 1200, replicas: 1, failuresMaxBytes: 2 ** 26 });
  await writeBans(direct, addresses.slice(0, FEWER));
  await using link = await startSlowLink({
    ...{ port: nats.port, stallAfterBytes: 200_000, stallMs: STALL_MS },
  });
  const connection = await connect({
    ...{ servers: `127.0.0.1:${link.port}`, maxReconnectAttempts: -1, reconnectTimeWait: 100 },
  });
  t.after(() => connection.close());
  const log = createLog("test", "silent");
  const bans = openBanStore({ connection, log, onBan: () => {} });
  t.after(() => bans.stop());
  await bans.ready;
  assert.deepEqual([link.stalls(), bans.countInForce(Date.now())], [1, FEWER]);
  link.cut();
  await eventually("the link stands still again", () => link.stalls() === 2, 20);
  // Written by somebody else while the bans are read again: it comes last.
  await writeBans(direct, [LAST]);
  const counts = new Set<number>();
  await eventually(
    "everything is read again",
    () => {
      counts.add(bans.countInForce(Date.now()));
      return bans.get("dovecot", LAST);
    },
    30,
  );
  assert.deepEqual(bans.takeTampered(), []);
  assert.deepEqual([...counts], [FEWER, FEWER + 1]);
});
