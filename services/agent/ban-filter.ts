/** Which bans of the fleet apply on this host, and for how long still. */
import { isInForce, type Ban } from "../wire/ban.ts";
import type { TimedBan } from "./firewall/firewall.ts";
import type { FleetSettings } from "./fleet-settings.ts";
import type { NeverBan } from "./never-ban.ts";
import type { Refusals } from "./refusals.ts";

/** What of a ban matters to the host that applies it. */
export type HostBan = Pick<Ban, "jail" | "address" | "state" | "until" | "by">;

export interface BanFilterOptions {
  settings: () => Pick<FleetSettings, "allowed"> | undefined;
  neverBan: Pick<NeverBan, "reason">;
  refused: Refusals;
}

export interface BanFilter {
  /** The ban as the kernel is to have it, by the server's clock; undefined: not at all. */
  timed(ban: HostBan | undefined, serverNow: number): TimedBan | undefined;
}

export function createBanFilter({ settings, neverBan, refused }: BanFilterOptions): BanFilter {
  /** Why this ban is not applied here; undefined: it is. */
  function reasonAgainst(ban: HostBan): string | undefined {
    const own = neverBan.reason(ban.address);
    if (own !== undefined || ban.by !== "decider") return own;
    const allowed = settings()?.allowed(ban.address);
    return allowed && `is allowlisted (${allowed.address})`;
  }

  return {
    timed(ban, serverNow) {
      if (!ban || !isInForce(ban, serverNow)) return undefined;
      const reason = reasonAgainst(ban);
      if (reason !== undefined) {
        refused.note(ban.address, reason);
        return undefined;
      }
      refused.forget(ban.address);
      const { jail, address, until } = ban;
      return { jail, address, seconds: until === null ? undefined : (until - serverNow) / 1000 };
    },
  };
}
