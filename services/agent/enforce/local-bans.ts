/**
 * Bans that this host has given alone, beside those of the fleet. Where both have a ban of one
 * address in one jail, the longer one is in force.
 */
import { isLonger } from "../../wire/ban.ts";
import type { HostBan, Verdict } from "./ban-filter.ts";

export interface LocalBans {
  set(key: string, ban: HostBan): void;
  delete(key: string): HostBan | undefined;
  has(key: string): boolean;
  keys(): readonly string[];
  /** Those that no ban of the fleet outlasts; `fleetBan` is the fleet's ban of a key. */
  standing(fleetBan: (key: string) => HostBan | undefined): Iterable<[string, HostBan]>;
  /** The ban of this host where it outlasts `fleetBan`; undefined: the fleet's counts. */
  outlasting(key: string, fleetBan: HostBan | undefined): HostBan | undefined;
}

/** `judge` says what becomes of a ban on this host, now. */
export function createLocalBans(judge: (ban: HostBan) => Verdict): LocalBans {
  const bans = new Map<string, HostBan>();

  function outlasting(key: string, fleetBan: HostBan | undefined): HostBan | undefined {
    const ban = bans.get(key);
    if (!ban || !fleetBan) return ban;
    const { type } = judge(fleetBan);
    if (type === "over" || type === "elsewhere") return ban;
    return isLonger(ban.until, fleetBan.until) ? ban : undefined;
  }

  return {
    set: (key, ban) => void bans.set(key, ban),
    delete(key) {
      const ban = bans.get(key);
      bans.delete(key);
      return ban;
    },
    has: (key) => bans.has(key),
    keys: () => [...bans.keys()],
    *standing(fleetBan) {
      for (const key of bans.keys()) {
        const ban = outlasting(key, fleetBan(key));
        if (ban) yield [key, ban];
      }
    },
    outlasting,
  };
}
