/** What held bans there are, by the host that has caused them, and what is to be said of them. */
import type { Ban } from "../../wire/ban.ts";
import { awaitsRelease } from "../../wire/ban.ts";
import { warn, type Warning } from "../../wire/warnings.ts";
import { heldBecauseOf } from "../../policy/held-ban.ts";
import type { BanStore } from "../buckets/ban-store.ts";

export interface HeldOfHost {
  bans: number;
  /** Why the ban is held that was held last. */
  reason: string;
}

/** By host; "no host" for bans whose failures nobody names. */
export function heldByHost(
  bans: Pick<BanStore, "held">,
  now: number,
): ReadonlyMap<string, HeldOfHost> {
  const last = new Map<string, Ban>();
  const counts = new Map<string, number>();
  for (const ban of bans.held()) {
    if (!awaitsRelease(ban, now)) continue;
    const host = heldBecauseOf(ban) ?? "no host";
    counts.set(host, (counts.get(host) ?? 0) + 1);
    if ((last.get(host)?.changedAt ?? -Infinity) <= ban.changedAt) last.set(host, ban);
  }
  return new Map(
    [...counts].map(([host, count]) => {
      return [host, { bans: count, reason: last.get(host)?.held ?? "they were held before" }];
    }),
  );
}

export function warnOfHeld({ bans, reason }: HeldOfHost): Warning {
  return warn("bans-held", { count: bans, reason });
}
