/**
 * What is known of every sink at this moment, for `fleetban notify list` and `status`: from its
 * sender where this coordinator sends, otherwise from NATS, looked at again and again.
 */
import { reasonOf } from "../../process/reason.ts";
import { warn, type Warning } from "../../wire/warnings.ts";
import type { NotifyBucket, SinkState } from "./notify-bucket.ts";
import type { Sink } from "./sink.ts";

export interface SinkStates {
  /** undefined: nothing was sent yet, or nobody knows. */
  of(sink: string): SinkState | undefined;
  /** The sender of the sink has written this. */
  note(sink: string, state: SinkState): void;
  /** Why nothing is sent at all; undefined: it is. */
  trouble(reason: string | undefined): void;
  warnings(): Warning[];
  /** Asks NATS, where another coordinator sends. */
  refresh(): Promise<void>;
  stop(): void;
}

export interface SinkStatesOptions {
  sinks: readonly Sink[];
  bucket: Pick<NotifyBucket, "readSink">;
  isLeader: () => boolean;
}

const REFRESH_EVERY_MS = 10_000;
/** A receiver that is away for a moment is no warning. */
const WARN_FROM_TRIES = 2;

export function createSinkStates({ sinks, bucket, isLeader }: SinkStatesOptions): SinkStates {
  const states = new Map<string, SinkState>();
  let trouble: string | undefined;

  async function refresh(): Promise<void> {
    if (isLeader() || sinks.length === 0) return;
    try {
      for (const { name } of sinks) {
        const { value } = await bucket.readSink(name);
        if (value) states.set(name, value);
      }
      trouble = undefined;
    } catch (error) {
      trouble = reasonOf(error);
    }
  }

  const timer = setInterval(() => void refresh(), REFRESH_EVERY_MS);
  return {
    of: (sink) => states.get(sink),
    note: (sink, state) => void states.set(sink, state),
    trouble: (reason) => void (trouble = reason),
    refresh,
    warnings: () => [
      ...(trouble === undefined || !isLeader()
        ? []
        : [warn("notifications-wait", { reason: trouble })]),
      ...sinks.flatMap(({ name }) => warningOf(name, states.get(name)) ?? []),
    ],
    stop: () => clearInterval(timer),
  };
}

function warningOf(sink: string, state: SinkState | undefined): Warning | undefined {
  if (state?.off) return warn("sink-off", { sink, reason: state.off.reason }, sink);
  const { failing } = state ?? {};
  if (!failing || failing.tries < WARN_FROM_TRIES) return undefined;
  return warn("sink-fails", { sink, ...failing }, sink);
}
