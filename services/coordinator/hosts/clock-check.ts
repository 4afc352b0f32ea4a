/**
 * Clocks, held against NATS's. Bans end by a coordinator's clock, so where that is ahead by a
 * bantime everything that is due looks as if it was over, and nobody is banned. Hosts' clocks may be
 * wrong, for failures are moved by what NATS's says; but then nobody can read their logs.
 *
 * NATS says when it stored the lease, which whoever decides renews every second.
 */
import { formatDuration } from "../../config/duration.ts";
import { warn, type Warning } from "../../wire/warnings.ts";
import type { Host } from "./hosts.ts";
import type { Latest } from "../../nats/read-latest.ts";

export interface Clock {
  /** Compares again; does not throw when NATS is away. */
  look(): Promise<void>;
  /** What is wrong with this coordinator's clock. */
  warnings(): Warning[];
  /** What is wrong with a host's. */
  hostWarnings(host: Host): Warning[];
}

export interface ClockOptions {
  /** The lease as it stands. */
  readLease: () => Promise<Pick<Latest, "revision" | "writtenAt">>;
  now: () => number;
}

/** A smaller difference may be the way to NATS, or a lease that was renewed a little late. */
const SLACK_MS = 20_000;

export function watchClock({ readLease, now }: ClockOptions): Clock {
  let revision = 0;
  /** Milliseconds by which this clock is ahead of NATS's; undefined: not known yet. */
  let ahead: number | undefined;
  function warnings(): Warning[] {
    const difference = describe(ahead ?? 0);
    if (difference === undefined) return [];
    return [warn("clock", { difference })];
  }

  function hostWarnings({ status, seenAt }: Host): Warning[] {
    if (ahead === undefined) return [];
    const difference = describe(status.sentAt - seenAt + ahead);
    if (difference === undefined) return [];
    return [warn("host-clock", { difference })];
  }

  return {
    warnings,
    hostWarnings,
    async look() {
      const before = revision;
      const lease = await readLease().catch(() => undefined);
      if (lease?.writtenAt !== undefined) {
        // One that nobody renews is of any time.
        if (before !== 0 && lease.revision !== before) ahead = now() - lease.writtenAt;
        revision = lease.revision;
      }
    },
  };
}

/** "3h ahead of", "2d behind". */
function describe(milliseconds: number): string | undefined {
  if (Math.abs(milliseconds) < SLACK_MS) return undefined;
  const amount = formatDuration(Math.round(Math.abs(milliseconds) / 1000));
  return milliseconds > 0 ? `${amount} ahead of` : `${amount} behind`;
}
