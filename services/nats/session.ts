/** A daemon's connection to NATS, for the daemon's whole life, and the parts that watch it. */
import type { ConnectionOptions, NatsConnection } from "@nats-io/nats-core";
import type { Life } from "../process/daemon.ts";
import { watchExpiry, type Expiry } from "./credential-expiry.ts";
import type { Log } from "../process/log.ts";
import { connectPatiently, credentialsOf } from "./connect.ts";
import type { NatsConfig } from "./nats-config.ts";
import { connectOnce, tryNats, watchLink, type Link } from "./link.ts";

export interface NatsSession {
  connection: NatsConnection;
  /** Makes another connection to the same NATS, as the same user, which does not reconnect. */
  connectBeside: () => Promise<NatsConnection>;
  link: Link;
  expiry: Expiry;
}

export interface NatsSessionOptions {
  config: NatsConfig;
  /** Options for connect(); `onCertificate` as natsOptions has it. Throws what ends the start. */
  options: (onCertificate: (until: number) => void) => Promise<ConnectionOptions>;
  log: Log;
  /** Called with the reason of every attempt to connect that failed. */
  onTrouble?: (reason: string) => void;
}

/**
 * `opened` resolves when NATS was reached for the first time, which may take long; with undefined
 * when the daemon ends before. A connection that ends by itself ends the daemon.
 */
export async function openNatsSession(
  { config, options: makeOptions, log, onTrouble }: NatsSessionOptions,
  life: Pick<Life, "onRelease" | "fail">,
): Promise<{ opened: Promise<NatsSession | undefined> }> {
  const stopping = new AbortController();
  let until: number | undefined;
  const options = await makeOptions((seen) => (until = seen));

  async function open(): Promise<NatsSession | undefined> {
    const { signal } = stopping;
    const connection = await connectPatiently({
      ...{ config, options, log, signal, ...(onTrouble && { onTrouble }) },
    });
    if (!connection) return undefined;
    const link = watchLink({ connection, config, options, log });
    const expiry = watchExpiry({
      credentials: () => credentialsOf(config),
      certificateUntil: () => until,
      lookAgain: () => tryNats(options, config),
      now: Date.now,
    });
    life.onRelease(() => {
      stopping.abort();
      expiry.stop();
      return connection.close();
    });
    void connection.closed().then((error) => {
      if (!signal.aborted) life.fail(error ?? new Error("NATS closed the connection"));
    });
    const connectBeside = () => connectOnce(options);
    return { connection, connectBeside, link, expiry };
  }

  const opened = open();
  life.onRelease(() => {
    stopping.abort();
    return Promise.resolve();
  });
  return { opened };
}
