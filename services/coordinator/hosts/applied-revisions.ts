/**
 * When each host has applied which revision of the bans bucket, as its statuses say. A status comes
 * after every change that the host has applied; under a storm of bans one status stands for several.
 *
 * Times are by this coordinator's clock. A status says when the kernel had the revision and when the
 * status was sent, both by the host's clock. The status that was quickest here, of those of the last
 * minute or two, tells best how the clocks differ.
 */
import type { HostStatus } from "../../wire/status.ts";

/** When a host had a revision. */
export type AppliedAt =
  /** `isExact`: no later revision stands for it. */
  | { state: "applied"; at: number; isExact: boolean }
  /** The host had it when this coordinator began to remember what the host says. */
  | { state: "before"; at: number }
  | { state: "not-yet" };

export interface AppliedRevisions {
  note(status: HostStatus, seenAt: number): void;
  /** Milliseconds by which the host's clock is ahead of this one's; 0 while the host is not known. */
  aheadMs(host: string): number;
  forget(host: string): void;
  /** When the host had applied the bucket that was made at `created` up to `revision`. */
  find(host: string, target: { created: string | null; revision: number }): AppliedAt;
}

/** Of each host. */
const KEPT = 500;
const PERIOD_MS = 60_000;

interface OfHost {
  bucket: string | null;
  /** Rising, the oldest first; `at` by the host's clock. */
  applied: { revision: number; at: number }[];
  clock: Clock;
}

/** By how much the clock is ahead as the quickest status of a period has shown it. */
interface Clock {
  beganAt: number;
  aheadMs: number;
  /** The same of the period before; -Infinity: there was none. */
  beforeMs: number;
}

export function createAppliedRevisions(): AppliedRevisions {
  const hosts = new Map<string, OfHost>();
  const aheadMs = (host: string) => {
    const clock = hosts.get(host)?.clock;
    return clock ? Math.max(clock.aheadMs, clock.beforeMs) : 0;
  };
  return {
    note({ host, revision, bansCreated, appliedAt, sentAt }, seenAt) {
      const known = hosts.get(host);
      const applied = known?.bucket === bansCreated ? known.applied : [];
      const clock = nextClock(known?.clock, sentAt - seenAt, seenAt);
      // An agent that has just started has applied nothing yet, and its kernel has kept its bans.
      const isStarting = revision === 0 && known !== undefined;
      hosts.set(host, { ...(isStarting ? known : { bucket: bansCreated, applied }), clock });
      if (revision === 0) return;
      // A bucket whose end NATS has lost gives its revisions again.
      while (lastOf(applied) > revision) applied.pop();
      if (lastOf(applied) === revision) return;
      applied.push({ revision, at: appliedAt ?? sentAt });
      if (applied.length > KEPT) applied.shift();
    },
    aheadMs,
    forget: (host) => void hosts.delete(host),
    find(host, { created, revision }) {
      const known = hosts.get(host);
      if (!known || created === null || known.bucket !== created) return { state: "not-yet" };
      const place = known.applied.findIndex((each) => each.revision >= revision);
      const found = known.applied[place];
      if (!found) return { state: "not-yet" };
      const isExact = found.revision === revision;
      const at = found.at - aheadMs(host);
      if (place === 0 && !isExact) return { state: "before", at };
      return { state: "applied", at, isExact };
    },
  };
}

/** No status is quicker than at once, so the largest difference is the truest. */
function nextClock(clock: Clock | undefined, aheadMs: number, seenAt: number): Clock {
  if (!clock) return { beganAt: seenAt, aheadMs, beforeMs: -Infinity };
  if (seenAt - clock.beganAt >= PERIOD_MS) {
    return { beganAt: seenAt, aheadMs, beforeMs: clock.aheadMs };
  }
  return { ...clock, aheadMs: Math.max(clock.aheadMs, aheadMs) };
}

const lastOf = (applied: OfHost["applied"]): number => applied.at(-1)?.revision ?? 0;
