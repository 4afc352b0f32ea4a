/** A real nats-server and a real PostgreSQL for a test, on free ports of loopback. */
import { once } from "node:events";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../services/standalone/child.ts";
import { startNatsServer } from "../../services/standalone/nats-server.ts";
import { ensureDatabase, postgresUrl } from "../../services/standalone/postgres.ts";
import { PASSWORD, startTestCluster } from "./postgres-cluster.ts";

/** A server that the test may stop and start again, on the same port, with the same storage. */
export interface TestServer extends AsyncDisposable {
  readonly port: number;
  /** As a crash would: nats-server is killed, PostgreSQL shut down in its immediate mode. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export interface TestNats extends TestServer {
  readonly url: string;
  /** Deletes what it has stored; only while it is stopped. */
  wipe(): Promise<void>;
  /** Notes what it has stored, as what has come to the disk; it is restarted for it. */
  sync(): Promise<void>;
  /** Ends it as a power failure would: what was stored after `sync` is gone. */
  losePower(): Promise<void>;
}

export interface TestPostgres extends TestServer {
  /** Creates an empty database and returns its URL. */
  createDatabase(): Promise<string>;
}

const PORTS_TO_TRY = 3;

/** Starts a server on a free port; on another one, when somebody was quicker to take it. */
async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<[number, T]> {
  for (let tries = 1; ; tries += 1) {
    const port = await freePort();
    try {
      return [port, await start(port)];
    } catch (error) {
      if (tries === PORTS_TO_TRY || !(await isTaken(port))) throw error;
    }
  }
}

async function isTaken(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return false;
  } catch {
    return true;
  } finally {
    server.close();
  }
}

/** Both servers. When one of them does not start, the other one is ended, too. */
export async function startTestServers(): Promise<[TestNats, TestPostgres]> {
  const [nats, postgres] = await Promise.allSettled([startTestNats(), startTestPostgres()]);
  if (nats.status === "fulfilled" && postgres.status === "fulfilled") {
    return [nats.value, postgres.value];
  }
  const reasons: unknown[] = [];
  for (const server of [nats, postgres]) {
    if (server.status === "rejected") reasons.push(server.reason);
    else await server.value[Symbol.asyncDispose]();
  }
  throw new AggregateError(reasons, "a server for the test did not start");
}

export async function startTestNats(): Promise<TestNats> {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-nats-"));
  const startOn = (port: number) => startNatsServer({ folder, port });
  const [port, first] = await onFreePort(startOn);
  const start = () => startOn(port);
  let child = first;
  const [stored, synced] = [join(folder, "jetstream"), join(folder, "synced")];
  const copy = (from: string, to: string) => cp(from, to, { recursive: true });
  return {
    port,
    url: `nats://127.0.0.1:${port}`,
    stop: () => child.stop("SIGKILL"),
    async start() {
      child = await start();
    },
    wipe: () => rm(stored, { recursive: true, force: true }),
    async sync() {
      await child.stop("SIGTERM");
      await rm(synced, { recursive: true, force: true });
      await copy(stored, synced);
      child = await start();
    },
    async losePower() {
      await child.stop("SIGKILL");
      await rm(stored, { recursive: true });
      await copy(synced, stored);
    },
    async [Symbol.asyncDispose]() {
      await child.stop("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export async function startTestPostgres(): Promise<TestPostgres> {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-postgres-"));
  const startOn = (port: number) => startTestCluster({ folder, port });
  const [port, first] = await onFreePort(startOn);
  const start = () => startOn(port);
  let child = first;
  let databases = 0;
  return {
    port,
    stop: () => child.stop("SIGQUIT"),
    async start() {
      child = await start();
    },
    async createDatabase() {
      databases += 1;
      const url = postgresUrl({ port, password: PASSWORD }, `fleetban_${databases}`);
      await ensureDatabase(url);
      return url;
    },
    async [Symbol.asyncDispose]() {
      await child.stop("SIGINT"); // fast shutdown, PostgreSQL's word; SIGKILL would leave its children
      await rm(folder, { recursive: true, force: true });
    },
  };
}
