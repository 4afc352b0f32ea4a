/** A fleet's keys and a nats-server that goes by them, with TLS, as `fleetban key` makes both. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { freePort, startChild, untilReady, type Child } from "../../services/standalone/child.ts";
import { nounOf } from "../../services/cli/key/credentials-command.ts";
import type { Role } from "../../services/wire/rights.ts";
import { natsOptions } from "../../services/nats/connect.ts";
import { fleetban, type Answer } from "./fleetban.ts";

export interface SecuredFleet extends AsyncDisposable {
  /** The folder of the keys. */
  folder: string;
  url: string;
  ca: string;
  /** Runs `fleetban key` on the folder; must succeed unless `expected` says otherwise. */
  key(args: readonly string[], expected?: number): Promise<Answer>;
  /** Makes credentials and returns their file. */
  credentials(role: Role, name: string): Promise<string>;
  /** Connects with credentials, as their client would. */
  connect(file: string): Promise<NatsConnection>;
  server: {
    stop(): Promise<void>;
    start(): Promise<void>;
    reload(): void;
    log(): string;
    pid(): number;
  };
}

const NAME = "n1";

export async function startSecuredFleet(): Promise<SecuredFleet> {
  const base = await mkdtemp(join(tmpdir(), "fleetban-secured-"));
  const folder = join(base, "keys");
  const port = await freePort();
  const ca = join(folder, "ca.pem");
  const url = `tls://127.0.0.1:${port}`;

  const key = async (args: readonly string[], expected = 0): Promise<Answer> => {
    const answer = await fleetban(["key", ...args, "--dir", folder]);
    if (answer.code === expected) return answer;
    throw new Error(`fleetban key ${args.join(" ")}: exit ${answer.code}: ${answer.stderr}`);
  };
  await key(["init"]);
  const files = join(folder, "servers");
  const store = join(files, `${NAME}.data`);
  const paths = ["--files", files, "--store", store];
  await key(["server", NAME, "--address", "127.0.0.1", "--port", String(port), ...paths]);

  let log = "";
  const start = async (): Promise<Child> => {
    const before = log.length;
    const child = await startChild("nats-server", {
      args: ["-c", join(folder, `servers/${NAME}.conf`)],
      onOutput: (chunk) => (log += chunk.toString()),
    });
    const isReady = () => Promise.resolve(log.slice(before).includes("Server is ready"));
    await untilReady("nats-server", child, isReady);
    return child;
  };
  let child = await start();
  const connections: NatsConnection[] = [];

  return {
    folder,
    url,
    ca,
    key,
    async credentials(role, name) {
      const noun = nounOf(role);
      await key([noun, name, ...(role === "viewer" || role === "support" ? [`--${role}`] : [])]);
      return join(folder, `${noun}s/${name}.creds`);
    },
    async connect(file) {
      const options = await natsOptions({ url, ca, creds: file }, "test");
      const connection = await connect({ ...options, reconnect: false });
      connections.push(connection);
      return connection;
    },
    server: {
      stop: () => child.stop("SIGKILL"),
      async start() {
        child = await start();
      },
      reload: () => process.kill(child.pid, "SIGHUP"),
      log: () => log,
      pid: () => child.pid,
    },
    async [Symbol.asyncDispose]() {
      for (const connection of connections) await connection.close();
      await child.stop("SIGKILL");
      await rm(base, { recursive: true, force: true });
    },
  };
}
