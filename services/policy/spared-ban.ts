/**
 * A spared ban: lifted because its address is on the allowlist, and brought back when no entry of
 * the allowlist covers the address any more, for the time that is left of it.
 *
 * The entry remembers what the ban was. So a ban that comes back is the same ban: an operator's
 * stays the operator's, and a held ban is held again.
 */
import { isDue, type Ban } from "../wire/ban.ts";
import type { Allowed } from "../wire/settings.ts";
import type { Change } from "./ban-memory.ts";

export type SparingEntry = Pick<Allowed, "address" | "jail" | "by">;

/** What the ban is to become; `entry` is the allowlist's that covers it. undefined: it is right. */
export function settleAllowed(
  present: Ban | undefined,
  entry: SparingEntry | undefined,
  change: Change,
): Ban | undefined {
  if (!present) return undefined;
  return entry ? spareBan(present, entry, change) : bringBack(present, change);
}

/** undefined: there is nothing to lift. */
export function spareBan(present: Ban, entry: SparingEntry, { now, id }: Change): Ban | undefined {
  const { state, by, reason } = present;
  if (!isDue(present, now) || state === "lifted" || state === "expired") return undefined;
  return {
    ...present,
    ...{ change: id, state: "lifted", changedAt: now, by: entry.by },
    reason: `${entry.address} was put on the allowlist${entry.jail === undefined ? "" : ` of jail ${entry.jail}`}`,
    spared: { state, by, reason },
  };
}

/** undefined: the allowlist has not lifted the ban, or its time is over. */
export function bringBack(present: Ban, { now, id }: Change): Ban | undefined {
  const { spared, ...ban } = present;
  if (!spared || !isSpared(present, now)) return undefined;
  return { ...ban, ...spared, change: id, changedAt: now };
}

/** Would the ban be due, were its address not on the allowlist? */
export function isSpared({ state, spared, until }: Ban, now: number): boolean {
  return state === "lifted" && spared !== undefined && (until === null || until > now);
}
