/**
 * Knows whether the connection to NATS is up at this moment, and why not. The client reconnects by
 * itself, but does not report why a handshake failed. So if it has not come back for some seconds,
 * this file opens a second connection to find the reason.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ConnectionOptions, NatsConnection } from "@nats-io/transport-node";
import type { Log } from "../process/log.ts";
import type { NatsConfig } from "./nats-config.ts";
import { explainTrouble, type Trouble } from "./connect-error.ts";
import { connect } from "./paced-transport.ts";

export interface Link {
  isUp(): boolean;
  /** Why the connection is not up, if that is known. */
  trouble(): string;
}

export interface LinkOptions {
  connection: NatsConnection;
  config: NatsConfig;
  /** The options that the connection was made with. */
  options: ConnectionOptions;
  log: Log;
}

const FIRST_MS = 3_000;
const EVERY_MS = 30_000;

export function watchLink({ connection, config, options, log }: LinkOptions): Link {
  let isUp = true;
  let trouble: Trouble | undefined;

  const isLinkUp = () => isUp;

  function note(found: Trouble): void {
    if (found.kind === "away") return;
    // The text about a certificate contains the time of day, so it differs every time.
    const isSaid = found.kind === "untrusted" ? trouble?.kind : trouble?.text;
    const isNew = isSaid !== (found.kind === "untrusted" ? found.kind : found.text);
    trouble = found;
    if (isNew) log.error({ reason: found.text }, "NATS refuses this connection, keeps trying");
  }

  async function findOut(): Promise<void> {
    for (let wait = FIRST_MS; ; wait = EVERY_MS) {
      await sleep(wait, undefined, { ref: false });
      if (isLinkUp() || connection.isClosed()) return;
      const { trouble: found } = await tryNats(options, config);
      if (found && !isLinkUp()) note(found);
    }
  }

  void (async () => {
    for await (const status of connection.status()) {
      if (status.type === "error") {
        note(explainTrouble(status.error, config, Date.now()));
      }
      // Every attempt that fails is another disconnect.
      if (status.type === "disconnect" && isUp) {
        isUp = false;
        log.warn("NATS is away, keeps trying");
        void findOut();
      }
      if (status.type === "reconnect") {
        isUp = true;
        trouble = undefined;
        log.info({ server: connection.getServer() }, "NATS is back");
      }
    }
  })();
  return {
    isUp: () => isUp && !connection.isClosed(),
    trouble: () => trouble?.text ?? "",
  };
}

/** Connects within the time, and does not reconnect. */
export function connectOnce(options: ConnectionOptions, withinMs = 5_000): Promise<NatsConnection> {
  const once = { maxReconnectAttempts: 0, reconnect: false, timeout: withinMs };
  return connect({ ...options, ...once });
}

/** Connects and disconnects again; returns the server, or why that failed. */
export async function tryNats(
  options: ConnectionOptions,
  config: NatsConfig,
  withinMs = 5_000,
): Promise<{ server: string; trouble?: never } | { trouble: Trouble }> {
  try {
    const connection = await connectOnce(options, withinMs);
    const server = connection.getServer();
    await connection.close();
    return { server };
  } catch (error) {
    return { trouble: explainTrouble(error, config, Date.now()) };
  }
}
