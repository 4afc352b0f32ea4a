/** Gives bans to the kernel anew when not the ban has changed, but something that decides about it. */
import { inSlices } from "../../process/slices.ts";
import type { BanChanges } from "./ban-changes.ts";
import type { HostBan, Verdict } from "./ban-filter.ts";
import type { KernelBans } from "./kernel-bans.ts";
import type { KnownBans } from "./known-bans.ts";

/** The kernel cannot hold longer timeouts than 24 days: they are renewed long before. */
export const RENEW_EVERY_MS = 86_400_000;
const RENEWED_ABOVE_MS = 20 * RENEW_EVERY_MS;
/** At most this many bans that the kernel has refused are tried again in one go. */
const TRIED_AGAIN = 1_000;

export interface BanReviewOptions {
  known: Pick<KnownBans, "all">;
  kernel: Pick<KernelBans, "has" | "wasRejected" | "rejectedKeys">;
  changes: Pick<BanChanges, "note">;
  /** What becomes of a ban on this host, now. */
  judge: (ban: HostBan) => Verdict;
  now: () => number;
}

export interface BanReview {
  /** The sets of these jails are new, and empty. */
  jailsOpened(names: ReadonlySet<string>): Promise<void>;
  /** What is allowed now, or no longer of a jail of this host, comes out; the rest goes in again. */
  settingsChanged(): Promise<void>;
  /** The kernel may have room by now for bans that it has refused. */
  retryRejected(): void;
  renewLongTimeouts(): Promise<void>;
}

export function createBanReview(options: BanReviewOptions): BanReview {
  const { known, kernel, changes, judge, now } = options;

  const noteWhere = (isConcerned: (key: string, ban: HostBan) => boolean) =>
    inSlices(known.all(), ([key, ban]) => {
      if (isConcerned(key, ban)) changes.note(key, ban, "judged-again");
    });

  return {
    jailsOpened: (names) => noteWhere((_, { jail }) => names.has(jail)),

    settingsChanged: () =>
      noteWhere((key, ban) => {
        if (kernel.wasRejected(key)) return false;
        return (judge(ban).type === "applies") !== kernel.has(key);
      }),

    retryRejected() {
      const keys = new Set(kernel.rejectedKeys().slice(0, TRIED_AGAIN));
      if (keys.size === 0) return;
      for (const [key, ban] of known.all()) {
        if (keys.has(key)) changes.note(key, ban, "judged-again");
      }
    },

    renewLongTimeouts: () =>
      noteWhere((_, { until }) => until !== null && until - now() > RENEWED_ABOVE_MS),
  };
}
