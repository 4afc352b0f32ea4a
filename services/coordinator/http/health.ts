/** What `/readyz` says: why the coordinator cannot do its work yet, or any more. */
import type { FailureFeed } from "../decide/failure-feed.ts";
import type { History } from "../history/history.ts";
import type { Lease } from "../buckets/lease.ts";

export interface Parts {
  link: { isUp(): boolean; trouble(): string };
  history: Pick<History, "everReached">;
  feed: Pick<FailureFeed, "isCaughtUp">;
  lease: Pick<Lease, "holder" | "trouble">;
}

export interface Health {
  /** Reasons, in words; empty: ready. */
  unready(): string[];
  /** NATS could not be reached, for this reason. */
  unreached(reason: string): void;
  /** NATS is reached; the start waits for something else, for this reason. */
  waitsFor(reason: string): void;
  /** From here on these parts are asked. */
  watch(parts: Parts): void;
}

export function createHealth(): Health {
  let watched: Parts | undefined;
  const away = (when: string, reason: string) =>
    `NATS cannot be reached${when}${reason === "" ? "" : `: ${reason}`}`;
  let trouble = "";
  let waiting: string | undefined;
  return {
    unreached(reason) {
      trouble = reason;
    },
    waitsFor(reason) {
      waiting = reason;
    },
    watch(parts) {
      watched = parts;
    },
    unready() {
      if (!watched) return [waiting ?? away(" yet", trouble)];
      const { link, history, feed, lease } = watched;
      const reasons: string[] = [];
      if (!link.isUp()) reasons.push(away("", link.trouble()));
      if (!history.everReached()) reasons.push("PostgreSQL cannot be reached yet");
      if (!feed.isCaughtUp()) reasons.push("failures of the past are still being counted");
      const full = lease.trouble();
      if (full !== undefined && link.isUp()) reasons.push(`NATS does not store the lease: ${full}`);
      else if (lease.holder() === null) reasons.push("nobody holds the lease yet");
      return reasons;
    },
  };
}
