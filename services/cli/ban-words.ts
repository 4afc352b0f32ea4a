/** A ban in words: a row of a list, its state, the hosts whose failures brought it. */
import { isHeld, isInForce, isShadow, isWideningHeld, type Ban } from "../wire/ban.ts";
import { isSpared } from "../policy/spared-ban.ts";
import type { Cell } from "./table.ts";
import { formatBoth, formatEnd, formatRelative } from "./time.ts";

export const BAN_HEAD = ["ADDRESS", "JAIL", "STATE", "BANNED", "BY", "REASON"];

export function describeBan(ban: Ban, now: number): Cell[] {
  const since = formatRelative(ban.startsAt, now);
  const reason = [
    ban.reason,
    ...(ban.held === undefined ? [] : [`${wordForHeld(ban, now)}: ${ban.held}`]),
    ...(ban.hosts ? [`on ${ban.hosts.join(", ")} alone`] : []),
  ].join("; ");
  return [ban.address, ban.jail, formatState(ban, now), since, ban.by, reason];
}

export function wordForHeld(ban: Ban, now: number): string {
  if (isWideningHeld(ban, now)) return "held for other hosts";
  return isShadow(ban, now) ? "shadow" : "held";
}

/** "banned until ... (in 18m)", "no longer banned", "expired ... (3m ago)". */
export function formatState(ban: Ban, now: number): string {
  if (isInForce(ban, now)) return `banned ${formatEnd(ban.until, now)}`;
  if (isHeld(ban, now)) return `held, would be banned ${formatEnd(ban.until, now)}`;
  if (isShadow(ban, now)) return `shadow, would be banned ${formatEnd(ban.until, now)}`;
  if (isSpared(ban, now))
    return `spared by the allowlist, would be banned ${formatEnd(ban.until, now)}`;
  if (ban.state === "lifted") return "no longer banned";
  return ban.until === null ? "expired" : `expired ${formatBoth(ban.until, now)}`;
}

/** "mx1 2, mx2 3". */
export function formatEvidence({ evidence }: Ban): string {
  if (evidence.length === 0) return "none, it was commanded";
  return evidence.map(({ host, failures }) => `${host} ${failures}`).join(", ");
}
