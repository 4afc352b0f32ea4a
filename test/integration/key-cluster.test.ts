/** Three NATS servers as `fleetban key server --peer` configures them are one cluster. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { test } from "node:test";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { ensureStreams } from "../../services/coordinator/upkeep/ensure-streams.ts";
import { natsOptions } from "../../services/nats/connect.ts";
import { freePort, startChild, type Child } from "../../services/standalone/child.ts";
import { failureSubject, FAILURES_STREAM, statusSubject } from "../../services/wire/subjects.ts";
import { eventually } from "../harness/eventually.ts";
import { fleetban } from "../harness/fleetban.ts";

/** All of loopback's addresses are this machine's: as three machines that use the same ports. */
const MACHINES = ["127.0.0.1", "127.0.0.2", "127.0.0.3"] as const;

interface KeyedCluster extends AsyncDisposable {
  folder: string;
  /** Where servers know each other. */
  clusterPort: number;
  key(...args: string[]): Promise<void>;
  /** Connects to one server alone. */
  connect(machine: string, creds: string): Promise<NatsConnection>;
}

async function startKeyedCluster(): Promise<KeyedCluster> {
  const base = await mkdtemp(join(tmpdir(), "fleetban-keyed-"));
  const folder = join(base, "keys");
  const [port, clusterPort] = [await freePort(), await freePort()];
  const servers: Child[] = [];
  const connections: NatsConnection[] = [];
  const key = async (...args: string[]) => {
    const { code, stderr } = await fleetban(["key", ...args, "--dir", folder]);
    assert.equal(code, 0, stderr);
  };
  const cluster: KeyedCluster = {
    ...{ folder, clusterPort, key },
    async connect(machine, creds) {
      const url = `tls://${machine}:${port}`;
      const options = await natsOptions({ url, ca: join(folder, "ca.pem"), creds }, "test");
      const connection = await connect({ ...options, ignoreClusterUpdates: true });
      connections.push(connection);
      return connection;
    },
    async [Symbol.asyncDispose]() {
      for (const connection of connections) await connection.close();
      for (const server of servers) await server.stop("SIGKILL");
      await rm(base, { recursive: true, force: true });
    },
  };
  try {
    await key("init");
    for (const [index, machine] of MACHINES.entries()) {
      const peers = MACHINES.filter((each) => each !== machine).flatMap((each) => ["--peer", each]);
      const ports = ["--port", String(port), "--cluster-port", String(clusterPort)];
      const own = ["--address", machine, "--listen", machine];
      const name = `n${index + 1}`;
      const paths = ["--files", join(folder, "servers"), "--store", join(folder, `${name}.data`)];
      await key("server", name, ...own, ...ports, ...peers, ...paths);
    }
    for (const index of MACHINES.keys()) {
      const args = ["-c", join(folder, `servers/n${index + 1}.conf`)];
      servers.push(await startChild("nats-server", { args }));
    }
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

test("they form one cluster with three copies of every stream; an agent may use each of them", async () => {
  await using cluster = await startKeyedCluster();
  const { folder, key } = cluster;
  await key("coordinator", "c1");
  await key("agent", "mx1");
  const centre = await eventually(
    "a coordinator gets in",
    () => cluster.connect(MACHINES[0], join(folder, "coordinators/c1.creds")),
    20,
  );
  const wanted = { longestFindtime: 1200, replicas: 3, failuresMaxBytes: 2 ** 26 };
  await eventually(
    "streams are made",
    async () => (await ensureStreams(centre, wanted)).length === 0,
    60,
  );
  const manager = await jetstreamManager(centre);
  const { cluster: copies } = await manager.streams.info(FAILURES_STREAM);
  assert.equal(copies?.name, "fleetban");
  assert.deepEqual([copies.leader, ...(copies.replicas ?? []).map(({ name }) => name)].sort(), [
    "n1",
    "n2",
    "n3",
  ]);
  let heard = 0;
  centre.subscribe(statusSubject("mx1"), { callback: () => void (heard += 1) });
  await centre.flush();
  for (const [index, machine] of MACHINES.entries()) {
    const agent = await cluster.connect(machine, join(folder, "agents/mx1.creds"));
    await eventually(
      `a failure is stored through ${machine}`,
      () =>
        jetstream(agent).publish(failureSubject("dovecot", "mx1"), `${index}`, {
          msgID: `${index}`,
        }),
      20,
    );
    const before = heard;
    await eventually("its status crosses the cluster", () => {
      agent.publish(statusSubject("mx1"), "up");
      return heard > before;
    });
  }
  assert.equal((await manager.streams.info(FAILURES_STREAM)).state.messages, 3);
});

test("between the servers all is TLS, and nobody gets in without a certificate of the fleet's authority", async () => {
  await using cluster = await startKeyedCluster();
  const read = (file: string) => readFile(join(cluster.folder, file), "utf8");
  const [ca, cert, key] = [
    await read("ca.pem"),
    await read("servers/n1.crt"),
    await read("servers/n1.key"),
  ];
  /** What a server says first to who comes with these, until it or we end it. */
  const greeting = async (host: string, own: { cert: string; key: string } | undefined) => {
    const socket = await eventually("it listens", async () => {
      const made = connectTls({ host, port: cluster.clusterPort, ca, ...own });
      await once(made, "secureConnect");
      return made;
    });
    let said = "";
    socket.on("data", (chunk: Buffer) => (said += chunk.toString()));
    let isOver = false;
    socket.on("error", () => (isOver = true)).on("close", () => (isOver = true));
    await eventually("it says something, or ends it", () => isOver || said !== "");
    socket.destroy();
    return said;
  };
  for (const machine of MACHINES) {
    assert.match(await greeting(machine, { cert, key }), /^INFO .*"cluster":"fleetban"/);
    assert.equal(await greeting(machine, undefined), "");
  }
});
