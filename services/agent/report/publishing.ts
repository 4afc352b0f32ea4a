/**
 * The way of messages into NATS, which may be reached later than the agent starts, or never. A message
 * that is published before that waits.
 */
import { jetstream, type PubAck } from "@nats-io/jetstream";
import type { NatsSession } from "../../nats/session.ts";

export interface Publishing {
  publish(subject: string, bytes: Uint8Array, msgID?: string): Promise<PubAck>;
  isConnected(): boolean;
  /** Of one message, as the server takes them; undefined: not known. */
  maxBytes(): number | undefined;
}

const PUBLISH_WITHIN_MS = 5_000;

/** `connected` resolves when NATS was reached for the first time; undefined: it never will be. */
export function createPublishing(connected: Promise<NatsSession | undefined>): Publishing {
  let session: NatsSession | undefined;
  const stream = connected.then((reached) => {
    session = reached;
    return reached && jetstream(reached.connection);
  });
  return {
    async publish(subject, bytes, msgID) {
      const js = await stream;
      if (!js) throw new Error("NATS was never reached");
      return js.publish(subject, bytes, { ...(msgID && { msgID }), timeout: PUBLISH_WITHIN_MS });
    },
    isConnected: () => session?.link.isUp() ?? false,
    maxBytes: () => session?.connection.info?.max_payload,
  };
}
