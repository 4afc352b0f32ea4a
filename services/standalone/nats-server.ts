/** A real nats-server with JetStream, its storage in a folder of its own. */
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { startChild, untilReady, type Child, type Spawn } from "./child.ts";

export interface NatsServerOptions {
  folder: string;
  /** Where it listens: one address, 127.0.0.1 unless others are meant to reach it. */
  address?: string;
  port: number;
  /** The user that may do everything; undefined: everybody who can connect. */
  login?: { user: string; password: string };
  /** Further lines of its configuration. */
  settings?: readonly string[];
  spawn?: Spawn;
  onOutput?: (chunk: Buffer) => void;
}

export async function startNatsServer(options: NatsServerOptions): Promise<Child> {
  const { folder, address = "127.0.0.1", port, login, settings = [] } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, "nats-server.conf");
  // JSON strings are strings of NATS's configuration language too.
  const lines = [
    `listen: ${JSON.stringify(`${address}:${port}`)}`,
    `jetstream { store_dir: ${JSON.stringify(join(folder, "jetstream"))} }`,
    ...(login
      ? [
          `authorization { user: ${JSON.stringify(login.user)}, password: ${JSON.stringify(login.password)} }`,
        ]
      : []),
    ...settings,
  ];
  await writeFile(file, `${lines.join("\n")}\n`, { mode: 0o600 });
  const child = await startChild("nats-server", {
    args: ["-c", file],
    ...(options.spawn && { spawn: options.spawn }),
    ...(options.onOutput && { onOutput: options.onOutput }),
  });
  // Inside another namespace it cannot be connected to from here: its own word must do.
  const isReady = options.spawn
    ? () => Promise.resolve(child.lastWords().includes("Server is ready"))
    : () => greets(address, port);
  await untilReady("nats-server", child, isReady);
  return child;
}

/** Does a server at this address begin with NATS's INFO? */
function greets(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, address);
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => settle(false));
    socket.once("error", () => settle(false));
    socket.once("data", (data) => settle(data.toString("latin1").startsWith("INFO ")));
  });
}
