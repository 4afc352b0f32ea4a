/** Which bans of the fleet apply on this host, and for how long still. */
import { countedUntil, decodeBan, isInForce, type Ban } from "../../wire/ban.ts";
import type { TimedBan } from "./firewall/firewall.ts";
import type { FleetSettings } from "../fleet-settings.ts";
import type { NeverBan } from "./never-ban.ts";

/** What of a ban matters to the host that applies it. */
export type HostBan = Pick<Ban, "jail" | "address" | "state" | "until" | "by" | "hosts"> & {
  /** Failures up to this instant do not count again; undefined: no failure brought the ban. */
  countedUntil?: number;
};

/** The maker of the bans that this host gives alone, see ../alone/. */
export const BY_THIS_HOST = "this host";

/** Throws a WireError for what no coordinator has written. */
export function decodeHostBan(bytes: Uint8Array, key: string): HostBan {
  const ban = decodeBan(bytes, key);
  const { jail, address, state, until, by, hosts } = ban;
  const counted = countedUntil(ban);
  return {
    ...{ jail, address, state, until, by },
    ...(hosts && { hosts }),
    ...(counted > 0 && { countedUntil: counted }),
  };
}

const isAutomatic = ({ by }: HostBan): boolean => by === "decider" || by === BY_THIS_HOST;

export interface BanFilterOptions {
  host: string;
  settings: Pick<FleetSettings, "allowed" | "isJailOf">;
  neverBan: Pick<NeverBan, "reason">;
}

/** What becomes of a ban on this host. */
export type Verdict =
  | { type: "applies"; ban: TimedBan }
  | { type: "over" }
  /** The ban is to be in force on other hosts, and not on this one. */
  | { type: "elsewhere" }
  /** The ban is in force in the fleet, and this host does not apply it. */
  | { type: "skipped"; reason: string };

export interface BanFilter {
  /** `serverNow` is the time of the server's clock. */
  judge(ban: HostBan, serverNow: number): Verdict;
}

export function createBanFilter({ host, settings, neverBan }: BanFilterOptions): BanFilter {
  /** Why this ban is not applied here; undefined: it is. */
  function reasonAgainst(ban: HostBan): string | undefined {
    const own = neverBan.reason(ban.address);
    if (own !== undefined || !isAutomatic(ban)) return own;
    const allowed = settings.allowed(ban.address, ban.jail);
    return allowed && `is allowlisted (${allowed.address})`;
  }

  return {
    judge(ban, serverNow) {
      if (!isInForce(ban, serverNow)) return { type: "over" };
      const isHere = ban.hosts?.includes(host) ?? true;
      if (!isHere || !settings.isJailOf(ban.jail, host)) return { type: "elsewhere" };
      const reason = reasonAgainst(ban);
      if (reason !== undefined) return { type: "skipped", reason };
      const { jail, address, until } = ban;
      const seconds = until === null ? undefined : (until - serverNow) / 1000;
      return { type: "applies", ban: { jail, address, seconds } };
    },
  };
}
