/** The connection to NATS that both daemons use: named, patient, never given up. */
import type { Authenticator, ConnectionOptions, NatsConnection } from "@nats-io/transport-node";
import { readCredentials, type Credentials } from "./credentials.ts";
import { PlainError } from "../process/exit.ts";
import type { Log } from "../process/log.ts";
import { createComplaint, retry, type Pauses } from "../process/retry.ts";
import { connect } from "./paced-transport.ts";
import { signWithSeed } from "./seed-signature.ts";
import { natsTls } from "./tls.ts";
import { explainTrouble } from "./connect-error.ts";
import type { NatsConfig } from "./nats-config.ts";
import { withoutLogin } from "./url.ts";

/** The credentials that it names. Throws a PlainError when they cannot be used. */
export function credentialsOf({ creds }: NatsConfig): Credentials | undefined {
  return creds === undefined ? undefined : readCredentials(creds);
}

/**
 * Options for connect(). Throws a PlainError when a file that they name cannot be used.
 * `onCertificate` hears until when the server's certificate is valid, epoch milliseconds.
 */
export async function natsOptions(
  config: NatsConfig,
  name: string,
  onCertificate: (until: number) => void = () => {},
): Promise<ConnectionOptions> {
  const url = new URL(config.url.split(",")[0] ?? "");
  const user = config.user ?? (url.username || undefined);
  const password = config.password ?? (url.password || undefined);
  const credentials = credentialsOf(config);
  const pace = createPace();
  const authenticator = credentials && rereading(credentials, config.creds ?? "", pace.asked);
  const servers = withoutLogin(config.url).split(",");
  // The client takes tls:// for nats:// and would go on in clear text.
  const isSecured = config.url.includes("tls://") || config.ca !== undefined;
  const tls = isSecured ? await natsTls(servers, config.ca, onCertificate) : undefined;
  return {
    servers,
    name,
    maxReconnectAttempts: -1,
    // Credentials that are refused now may be renewed, or the server's clock be set right.
    ignoreAuthErrorAbort: true,
    // A stack kept for every request, in case that it fails, cost 0.1 ms on the way to a ban.
    noAsyncTraces: true,
    reconnectDelayHandler: pace.delay,
    pingInterval: 5_000,
    maxPingOut: 2,
    ...(authenticator && { authenticator }),
    ...(credentials?.inbox !== undefined && { inboxPrefix: credentials.inbox }),
    ...(user !== undefined && { user }),
    ...(password !== undefined && { pass: password }),
    ...(tls && { tls }),
  };
}

/** Reads the file at every connection, so that renewed credentials need no restart. */
function rereading(first: Credentials, file: string, asked: () => void): Authenticator {
  let { jwt, seed } = first;
  return (nonce) => {
    asked();
    try {
      ({ jwt, seed } = readCredentials(file));
    } catch (error) {
      if (!(error instanceof PlainError)) throw error; // The file is being replaced: the old ones will do.
    }
    // A server that asks nobody for credentials sends no nonce.
    const signature = nonce === undefined ? undefined : signWithSeed(seed, Buffer.from(nonce));
    return { jwt, ...(signature && { sig: signature.toString("base64") }) };
  };
}

/** Milliseconds between two attempts: short, but long if a server rejects the credentials each time. */
function createPace() {
  const REFUSED_AT_LEAST = 4;
  let attempts: number[] = [];
  return {
    /** A server has asked for credentials. */
    asked() {
      attempts = [...attempts.slice(1 - REFUSED_AT_LEAST), performance.now()];
    },
    delay() {
      const [first = -Infinity] = attempts;
      const isRefused = attempts.length >= REFUSED_AT_LEAST && performance.now() - first < 20_000;
      return isRefused ? 3_000 + Math.random() * 2_000 : 250 + Math.random() * 100;
    },
  };
}

const PAUSES: Pauses = { firstMs: 250, longestMs: 2_000 };

export interface Patience {
  config: NatsConfig;
  options: ConnectionOptions;
  log: Log;
  signal: AbortSignal;
  /** Called with the reason of every attempt that failed. */
  onTrouble?: (reason: string) => void;
}

/**
 * Connects, trying for ever with one line of log per failure kind; undefined
 * when `signal` ended it first. After that the client reconnects by itself.
 */
export async function connectPatiently(patience: Patience): Promise<NatsConnection | undefined> {
  const { config, options, log, signal, onTrouble } = patience;
  const complaint = createComplaint((reason) => {
    log.error({ servers: options.servers, reason }, "NATS cannot be reached, keeps trying");
  });
  const connection = await retry(
    () => connect({ ...options, timeout: 5_000, maxReconnectAttempts: -1 }),
    {
      pauses: PAUSES,
      signal,
      onFailed(error) {
        const { kind, text } = explainTrouble(error, config, Date.now());
        onTrouble?.(text);
        // The text about a certificate contains the time of day, so it differs every time.
        complaint.failed(text, kind === "untrusted" ? kind : text);
      },
    },
  );
  if (connection) log.info({ server: connection.getServer() }, "connected to NATS");
  return connection;
}
