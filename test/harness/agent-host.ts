/** One agent with its real firewall, and a nats-server with bans in it, in a network namespace. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { ensureStreams } from "../../services/coordinator/upkeep/ensure-streams.ts";
import { bucketStream } from "../../services/nats/follow-bucket.ts";
import { starting } from "../../services/process/release.ts";
import { freePort, startChild } from "../../services/standalone/child.ts";
import { startNatsServer } from "../../services/standalone/nats-server.ts";
import { parseAddress } from "../../services/wire/address.ts";
import { encodeBan } from "../../services/wire/ban.ts";
import { encodeBucketReady } from "../../services/wire/settings.ts";
import { banKey, BANS_BUCKET, READY_KEY, SETTINGS_BUCKET } from "../../services/wire/subjects.ts";
import { createNetwork, type Namespace } from "./netns.ts";
import { restartable, type Restartable } from "./restartable.ts";

const MAIN = resolve(import.meta.dirname, "../../dist/services/agent/main.js");
const UNDER_WAY = 500;

export interface AgentHost extends AsyncDisposable {
  namespace: Namespace;
  agent: Restartable;
}

/** `backend` as agent.yaml has it. */
export async function startAgentHost(
  bans: readonly string[],
  backend = "ipset",
): Promise<AgentHost> {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-host-"));
  const [host, release] = await starting(async (onRelease) => {
    onRelease(() => rm(folder, { recursive: true, force: true }));
    const nats = join(folder, "nats");
    await prepareStorage(nats, bans);
    const network = await createNetwork(["mx1"]);
    onRelease(() => network[Symbol.asyncDispose]());
    const namespace = network.host("mx1");
    const at = { folder: nats, port: 4222, spawn: namespace.spawn };
    const server = await startNatsServer(at);
    onRelease(() => server.stop("SIGKILL"));
    const mailLog = join(folder, "mail.log");
    await writeFile(mailLog, "");
    const config = join(folder, "agent.yaml");
    await writeFile(config, `host: mx1\nsources: [{ name: mail-log, path: ${mailLog} }]\n`);
    const env = {
      ...process.env,
      ...{ FLEETBAN_STATE_DIR: join(folder, "state"), FLEETBAN_FIREWALL: backend },
      MALLOC_MMAP_THRESHOLD_: "65536", // As the unit sets it.
    };
    const args = [MAIN, "run", "--config", config];
    const agent = await restartable((onOutput) =>
      startChild(process.execPath, { args, env, spawn: namespace.spawn, onOutput }),
    );
    onRelease(() => agent.stop());
    return { namespace, agent };
  });
  return { ...host, [Symbol.asyncDispose]: release };
}

/** Fills the storage of a nats-server that is to run elsewhere. */
async function prepareStorage(folder: string, bans: readonly string[]): Promise<void> {
  const port = await freePort();
  const server = await startNatsServer({ folder, port });
  try {
    const connection = await connect({ servers: `nats://127.0.0.1:${port}` });
    await ensureStreams(connection, {
      longestFindtime: 1200,
      replicas: 1,
      failuresMaxBytes: 2 ** 26,
    });
    await writeBans(connection, bans);
    await declareComplete(connection);
    await connection.close();
  } finally {
    await server.stop("SIGTERM"); // in order: all of it is on the disk
  }
}

/** As a coordinator does when the bucket has everything that is on record. */
export async function declareComplete(connection: NatsConnection): Promise<void> {
  const manager = await jetstreamManager(connection);
  const { created } = await manager.streams.info(bucketStream(BANS_BUCKET));
  const settings = await new Kvm(connection).open(SETTINGS_BUCKET);
  await settings.put(READY_KEY, encodeBucketReady({ v: 1, bansCreated: created }));
}

/** Bans for an hour, by the decider. */
export async function writeBans(
  connection: NatsConnection,
  addresses: readonly string[],
): Promise<void> {
  const js = jetstream(connection);
  const now = Date.now();
  for (let from = 0; from < addresses.length; from += UNDER_WAY) {
    const some = addresses.slice(from, from + UNDER_WAY).map((text) => {
      const address = parseAddress(text);
      if (address === undefined) throw new Error(`${text} is no address`);
      const bytes = encodeBan({
        ...{ v: 1, change: crypto.randomUUID(), jail: "dovecot", address, state: "active" },
        ...{ startsAt: now, until: now + 3_600_000, changedAt: now, reason: "test" },
        ...{ offence: 1, evidence: [{ host: "mx2", failures: 5 }], by: "decider" },
        ...{ immuneUntil: null, countedUntil: now },
      });
      return js.publish(`$KV.${BANS_BUCKET}.${banKey("dovecot", address)}`, bytes, {
        timeout: 60_000,
      });
    });
    await Promise.all(some);
  }
}
