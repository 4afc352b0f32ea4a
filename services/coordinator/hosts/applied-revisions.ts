/**
 * When each host has applied which revision of the bans bucket, as its statuses say. A status comes
 * after every change that the host has applied; under a storm of bans one status stands for several.
 *
 * Times are by this coordinator's clock: a status says when the kernel had the revision and when the
 * status was sent, both by the host's clock, and it arrives here at once.
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
  forget(host: string): void;
  /** When the host had applied the bucket that was made at `created` up to `revision`. */
  find(host: string, target: { created: string | null; revision: number }): AppliedAt;
}

/** Of each host. */
const KEPT = 500;

interface OfHost {
  bucket: string | null;
  /** Rising, the oldest first. */
  applied: { revision: number; at: number }[];
}

export function createAppliedRevisions(): AppliedRevisions {
  const hosts = new Map<string, OfHost>();
  return {
    note({ host, revision, bansCreated, appliedAt, sentAt }, seenAt) {
      // An agent that has just started has applied nothing yet, and its kernel has kept its bans.
      if (revision === 0) return;
      const known = hosts.get(host);
      const applied = known?.bucket === bansCreated ? known.applied : [];
      if (applied !== known?.applied) hosts.set(host, { bucket: bansCreated, applied });
      // A bucket whose end NATS has lost gives its revisions again.
      while (lastOf(applied) > revision) applied.pop();
      if (lastOf(applied) === revision) return;
      const at = seenAt - Math.max(sentAt - (appliedAt ?? sentAt), 0);
      applied.push({ revision, at });
      if (applied.length > KEPT) applied.shift();
    },
    forget: (host) => void hosts.delete(host),
    find(host, { created, revision }) {
      const known = hosts.get(host);
      if (!known || created === null || known.bucket !== created) return { state: "not-yet" };
      const place = known.applied.findIndex((each) => each.revision >= revision);
      const found = known.applied[place];
      if (!found) return { state: "not-yet" };
      const isExact = found.revision === revision;
      if (place === 0 && !isExact) return { state: "before", at: found.at };
      return { state: "applied", at: found.at, isExact };
    },
  };
}

const lastOf = (applied: OfHost["applied"]): number => applied.at(-1)?.revision ?? 0;
