/** The connection to NATS that both daemons use: named, patient, never given up. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  connect,
  credsAuthenticator,
  type Authenticator,
  type ConnectionOptions,
  type NatsConnection,
} from "@nats-io/transport-node";
import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { Log } from "./log.ts";

/** `nats:` in agent.yaml and coordinator.yaml. */
export const natsConfig = z
  .strictObject({
    /** One URL or several with commas. */
    url: z.string().min(1).default("nats://127.0.0.1:4222"),
    /** File of a NATS user's JWT and seed. */
    creds: z.string().min(1).optional(),
    user: z.string().min(1).optional(),
    password: z.string().min(1).optional(),
    /** PEM file of the authority that signed the server's certificate; sets TLS. */
    ca: z.string().min(1).optional(),
  })
  .prefault({});
export type NatsConfig = z.infer<typeof natsConfig>;

/** Environment variables that stand for `nats:` settings. */
export const NATS_VARIABLES = {
  NATS_URL: "nats.url",
  FLEETBAN_NATS_CREDS: "nats.creds",
  FLEETBAN_NATS_USER: "nats.user",
  FLEETBAN_NATS_PASSWORD: "nats.password",
} as const;

/** Options for connect(); reads the credentials and the authority's certificate. */
export async function natsOptions(config: NatsConfig, name: string): Promise<ConnectionOptions> {
  const url = new URL(config.url.split(",")[0] ?? "");
  const user = config.user ?? (url.username || undefined);
  const password = config.password ?? (url.password || undefined);
  const authenticator: Authenticator | undefined =
    config.creds === undefined ? undefined : credsAuthenticator(await readFile(config.creds));
  return {
    servers: config.url.split(",").map((text) => text.trim().replace(/^(\w+:\/\/)[^@/]*@/, "$1")),
    name,
    maxReconnectAttempts: -1,
    // A stack kept for every request, in case that it fails, cost 0.1 ms on the way to a ban.
    noAsyncTraces: true,
    reconnectTimeWait: 250,
    reconnectJitter: 100,
    pingInterval: 5_000,
    maxPingOut: 2,
    ...(authenticator && { authenticator }),
    ...(user !== undefined && { user }),
    ...(password !== undefined && { pass: password }),
    // The client takes tls:// for nats:// and would go on in clear text.
    ...(config.url.includes("tls://") && { tls: {} }),
    ...(config.ca !== undefined && { tls: { ca: await readFile(config.ca, "utf8") } }),
  };
}

/**
 * Connects, trying for ever with one line of log per failure kind; undefined
 * when `signal` ended it first. After that the client reconnects by itself.
 */
export async function connectPatiently(
  options: ConnectionOptions,
  log: Log,
  signal: AbortSignal,
): Promise<NatsConnection | undefined> {
  let said = "";
  for (let delay = 250; !signal.aborted; delay = Math.min(delay * 2, 2_000)) {
    try {
      const connection = await connect({ ...options, timeout: 5_000 });
      log.info({ server: connection.getServer() }, "connected to NATS");
      return connection;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== said) {
        log.error({ servers: options.servers, reason }, "NATS cannot be reached, keeps trying");
      }
      said = reason;
      await sleep(delay, undefined, { signal }).catch(() => {});
    }
  }
  return undefined;
}

/** Says whether the connection is up at this moment. */
export function watchLink(connection: NatsConnection, log: Log): { isUp(): boolean } {
  let isUp = true;
  void (async () => {
    for await (const { type } of connection.status()) {
      if (type !== "disconnect" && type !== "reconnect") continue;
      isUp = type === "reconnect";
      if (isUp) log.info({ server: connection.getServer() }, "NATS is back");
      else log.warn("NATS is away, keeps trying");
    }
  })();
  return { isUp: () => isUp && !connection.isClosed() };
}
