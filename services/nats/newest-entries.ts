/**
 * The newest entries of a bucket, and every new one, beside a mirror that reads the bucket as a whole.
 *
 * NATS may have sent up to 32 MiB of old entries when a new one is written: on the mirror's
 * connection the new entry waits behind them. So these entries come by a connection of their own.
 * Nothing is proved by them: whatever is missed here, the mirror reads in its turn.
 */
import { DeliverPolicy } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import type { Log } from "../process/log.ts";
import { reasonOf } from "../process/reason.ts";
import { subscribeToDeliveries, type Delivery } from "./delivery.ts";
import { openConsumer } from "./stream-consumer.ts";

export interface NewestEntriesOptions {
  stream: string;
  connect: () => Promise<NatsConnection>;
  onMessage: (message: Extract<Delivery, { type: "message" }>["message"], created: string) => void;
  log: Log;
}

export interface NewestEntries {
  /** Whether nothing newer than this sequence of the stream has been delivered. */
  hasNothingAfter(sequence: number): boolean;
  stop(): void;
}

/** Entries from before, which may have been written while this process was down. */
const NEWEST = 256;
const WITHIN_MS = 1_000;

/** Resolves when every entry that is written from now on will be delivered. */
export async function readNewestEntries(options: NewestEntriesOptions): Promise<NewestEntries> {
  const { stream, connect, onMessage, log } = options;
  let connection: NatsConnection | undefined;
  let delivered: number | undefined;
  const stop = () => void connection?.close().catch(() => {});
  try {
    const opened = await connect();
    connection = opened;
    const consumer = await openConsumer({ connection, stream, startFrom: newest }, WITHIN_MS);
    if (!consumer) throw new Error("the stream was made anew meanwhile");
    subscribeToDeliveries(opened, consumer.inbox, (delivery) => {
      if (delivery.type === "message") {
        delivered = delivery.message.sequence;
        onMessage(delivery.message, consumer.state.created);
      } else if (delivery.type === "ended") stop();
      else delivery.confirm?.();
    });
  } catch (error) {
    log.warn({ stream, reason: reasonOf(error) }, "new entries wait until the old ones are read");
    stop();
  }
  return {
    hasNothingAfter: (sequence) => delivered === undefined || delivered <= sequence,
    stop,
  };
}

const newest = ({ last }: { last: number }) => ({
  deliver_policy: DeliverPolicy.StartSequence,
  opt_start_seq: Math.max(1, last - NEWEST + 1),
});
