/**
 * The streams that a process cannot follow now although NATS is there, and why. Whoever follows a
 * stream reports it here, so that an operator reads in the status what does not arrive.
 *
 * A cluster that has lost a server finds another leader in some seconds: until then nothing is
 * reported. Neither is anything while NATS is away, which others say.
 */
import type { NatsConnection } from "@nats-io/nats-core";

export interface UnreadStream {
  stream: string;
  reason: string;
}

export interface StreamTrouble {
  /** An attempt to follow the stream has failed. */
  failed(reason: string): void;
  /** NATS was away: earlier attempts prove nothing. */
  reconnected(): void;
  /** The stream is followed, or nobody wants to follow it any more. */
  over(): void;
}

/** Milliseconds. */
const PATIENCE_MS = 15_000;

type Trouble = UnreadStream & { since: number };

/** Every follower of a connection has an entry of its own; undefined: its stream is followed. */
const troubles = new WeakMap<NatsConnection, Map<StreamTrouble, Trouble>>();

export function createStreamTrouble(
  connection: NatsConnection,
  stream: string,
  now: () => number = () => performance.now(),
): StreamTrouble {
  const all = troubles.get(connection) ?? new Map<StreamTrouble, Trouble>();
  troubles.set(connection, all);
  const own: StreamTrouble = {
    failed(reason) {
      all.set(own, { stream, reason, since: all.get(own)?.since ?? now() });
    },
    reconnected: () => void all.delete(own),
    over: () => void all.delete(own),
  };
  return own;
}

/** Each stream once. */
export function unreadStreams(
  connection: NatsConnection,
  now: () => number = () => performance.now(),
): UnreadStream[] {
  const found = new Map<string, UnreadStream>();
  for (const { stream, reason, since } of troubles.get(connection)?.values() ?? []) {
    if (now() - since >= PATIENCE_MS) found.set(stream, { stream, reason });
  }
  return [...found.values()];
}
