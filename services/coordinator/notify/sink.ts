/** A sink: somewhere that events are sent to, and which of them it is to get. */
import type { Delivery } from "./digest.ts";
import { hostsOf, type EventType, type NotifyEvent } from "./event.ts";

export type Outcome =
  | { type: "sent" }
  /** The receiver is away or does not want it now; `afterMs`: the receiver has said for how long. */
  | { type: "retry"; reason: string; afterMs?: number }
  /** The receiver rejects this very message: after some tries it is given up. */
  | { type: "refused"; reason: string }
  /** The receiver wants no more messages. */
  | { type: "gone"; reason: string };

/** Never throws; ends within its own time limits. */
export type Send = (delivery: Delivery) => Promise<Outcome>;

export interface SinkFilter {
  events: readonly EventType[];
  /** undefined: all. Events without a jail pass. */
  jails?: readonly string[] | undefined;
  /** undefined: all. An event passes that names one of them. */
  hosts?: readonly string[] | undefined;
  /** Bans pass from this offence on. */
  offence: number;
}

export interface Sink {
  name: string;
  type: string;
  filter: SinkFilter;
  /** Seconds. A message is sent after `quiet` without another event, at the latest after `longest`. */
  latency: { quiet: number; longest: number };
  /** Where messages go, hashed. */
  target: string;
  /** Where messages go, for people, without what is secret. */
  describe: string;
  send: Send;
}

export function passes(filter: SinkFilter, event: NotifyEvent): boolean {
  if (!filter.events.includes(event.type)) return false;
  const { ban } = event;
  if (ban && filter.jails && !filter.jails.includes(ban.jail)) return false;
  if (ban && ban.offence < filter.offence) return false;
  return !filter.hosts || hostsOf(event).some((host) => filter.hosts?.includes(host));
}
