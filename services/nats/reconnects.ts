import type { NatsConnection } from "@nats-io/nats-core";

/** Calls `act` after every reconnect, until `signal` is aborted or the connection is closed. */
export async function onReconnect(
  connection: NatsConnection,
  act: () => unknown,
  signal?: AbortSignal,
): Promise<void> {
  for await (const { type } of connection.status()) {
    if (signal?.aborted) return;
    if (type === "reconnect") await act();
  }
}
