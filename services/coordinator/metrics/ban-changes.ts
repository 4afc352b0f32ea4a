/** What a change of a ban counts as, and what has caused it, both in a bounded number of words. */
import { isByPerson } from "../../wire/askers.ts";
import { isInForce, type Ban } from "../../wire/ban.ts";

export const BAN_CAUSES = [
  "maxretry",
  "users",
  "domains",
  "decoy",
  "network",
  "bans",
  "confirmed",
  "operator",
  "other",
] as const;
export type BanCause = (typeof BAN_CAUSES)[number];

export const UNBAN_CAUSES = ["expired", "operator", "allowlist", "other"] as const;
export type UnbanCause = (typeof UNBAN_CAUSES)[number];

export type BanChange =
  | { type: "banned"; cause: BanCause }
  | { type: "held" }
  | { type: "shadow" }
  | { type: "unbanned"; cause: UnbanCause };

/** undefined: nothing begins or ends, for example because a ban in force was extended. */
export function countedChange(ban: Ban, previous: Ban | undefined): BanChange | undefined {
  if (ban.change === previous?.change) return undefined;
  switch (ban.state) {
    case "active":
      if (previous && isInForce(previous, ban.changedAt)) return undefined;
      return { type: "banned", cause: causeOfBan(ban) };
    case "held":
    case "shadow":
      return previous?.state === ban.state ? undefined : { type: ban.state };
    case "lifted":
    case "expired":
      return previous?.state === "active"
        ? { type: "unbanned", cause: causeOfEnd(ban) }
        : undefined;
  }
}

function causeOfBan({ by, basis }: Ban): BanCause {
  if (isByPerson(by)) return "operator";
  if (by !== "decider") return "other";
  if (basis?.rule === undefined) return basis?.bans ? "bans" : "maxretry";
  // A coordinator of another version may know more rules.
  return BAN_CAUSES.find((cause) => cause === basis.rule) ?? "other";
}

function causeOfEnd({ state, spared, by }: Ban): UnbanCause {
  if (state === "expired") return "expired";
  if (spared) return "allowlist";
  return isByPerson(by) ? "operator" : "other";
}
