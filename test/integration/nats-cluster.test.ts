/** What the coordinator does about its streams on three nats-servers, one of which may be away. */
import { execFile } from "node:child_process";
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { ensureStreams, keepStreams } from "../../services/coordinator/upkeep/ensure-streams.ts";
import { bucketStream } from "../../services/nats/follow-bucket.ts";
import { createLog } from "../../services/process/log.ts";
import { BANS_BUCKET, failureSubject, FAILURES_STREAM } from "../../services/wire/subjects.ts";
import { eventually } from "../harness/eventually.ts";
import { startNatsCluster, type NatsCluster } from "../harness/nats-cluster.ts";

interface Running extends AsyncDisposable {
  cluster: NatsCluster;
  connection: NatsConnection;
}

async function start(): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-cluster-"));
  const cluster = await startNatsCluster({ folder });
  const connection = await connect({ servers: cluster.url.split(","), maxReconnectAttempts: -1 });
  return {
    cluster,
    connection,
    async [Symbol.asyncDispose]() {
      await connection.close();
      for (const server of cluster.servers) await server.stop("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** As soon as the cluster has found its leader. */
const ensure = (connection: NatsConnection, replicas: number) =>
  eventually(
    "there are streams",
    () => ensureStreams(connection, { longestFindtime: 1200, replicas, failuresMaxBytes: 2 ** 26 }),
    30,
  );

async function copiesOf({ connection }: Running, stream: string): Promise<number> {
  const manager = await jetstreamManager(connection);
  return (await manager.streams.info(stream)).config.num_replicas;
}

test("the example of a server of a cluster is one that nats-server takes", async () => {
  const file = resolve(import.meta.dirname, "../../deploy/nats/cluster.conf");
  const { stderr } = await promisify(execFile)("nats-server", ["-t", "-c", file]);
  assert.match(stderr, /is valid/);
});

test("streams of one copy get three, with what they hold, when they are configured so", async () => {
  await using running = await start();
  const { cluster, connection } = running;
  assert.deepEqual(await ensure(connection, 1), []);
  await jetstream(connection).publish(failureSubject("dovecot", "mx1"), "kept");
  assert.deepEqual(await ensure(connection, 3), []);
  await cluster.untilWhole();
  assert.equal(await copiesOf(running, FAILURES_STREAM), 3);
  assert.equal(await copiesOf(running, bucketStream(BANS_BUCKET)), 3);
  const manager = await jetstreamManager(connection);
  assert.equal((await manager.streams.info(FAILURES_STREAM)).state.messages, 1);
});

test("streams that cannot get more copies now are used as they are, and get them later", async () => {
  await using running = await start();
  const { cluster, connection } = running;
  const [, , third] = cluster.servers;
  await eventually("the cluster is at work", async () => {
    await (await jetstreamManager(connection)).getAccountInfo();
    return true;
  });
  await third!.stop("SIGTERM"); // it says goodbye: the others know that it is away
  await ensure(connection, 1);
  const reasons: string[] = [];
  const options = { longestFindtime: 1200, replicas: 3, failuresMaxBytes: 2 ** 26 };
  const log = createLog("test", "silent");
  const streams = await eventually(
    "it goes on",
    () =>
      keepStreams(
        connection,
        () => options,
        log,
        (reason) => reasons.push(reason),
      ),
    30,
  );
  // nats-server 2.9 and 2.10 refuse the third copy; newer ones make it when the third server is back.
  const [fault] = streams.faults();
  if (fault === undefined) assert.equal(await copiesOf(running, FAILURES_STREAM), 3);
  else assert.match(fault, /^stream FLEETBAN_FAILURES cannot be given num_replicas 3/);
  await third!.start();
  await eventually("nothing is wrong any more", () => streams.faults().length === 0, 60);
  assert.equal(await copiesOf(running, FAILURES_STREAM), 3);
  await cluster.untilWhole();
});
