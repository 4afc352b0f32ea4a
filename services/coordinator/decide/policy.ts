/** What of coordinator.yaml decides on bans: the part that a reload replaces. */
import {
  createKeptSeconds,
  countsBans,
  memoryOf,
  type BanMemory,
} from "../../policy/ban-memory.ts";
import type { Address } from "../../wire/address.ts";
import type { Jail } from "../../wire/settings.ts";
import { jailsOf, type CoordinatorConfig } from "../coordinator-config.ts";

export interface Policy {
  jails: readonly Jail[];
  /** Seconds, of all jails that count failures. */
  longestFindtime: number;
  memory: BanMemory;
  /** Seconds that an ended ban of a jail is remembered. */
  keptSeconds: (jail: string) => number;
  guard: CoordinatorConfig["guard"];
  /** Of the allowlist. */
  addresses: readonly Address[];
  names: readonly string[];
}

export function policyOf(config: CoordinatorConfig): Policy {
  const { allowlist, guard, dbpurgeage } = config;
  const jails = jailsOf(config);
  const memory = memoryOf(jails, dbpurgeage);
  const counting = jails.filter((jail) => !countsBans(jail));
  return {
    jails,
    longestFindtime: Math.max(...counting.map(({ findtime }) => findtime)),
    memory,
    keptSeconds: createKeptSeconds(jails, memory),
    guard,
    addresses: allowlist.flatMap((each) => ("address" in each ? each.address : [])),
    names: allowlist.flatMap((each) => ("name" in each ? each.name : [])),
  };
}

/** Milliseconds of the past whose failures still matter. */
export const horizonOf = ({ longestFindtime }: Pick<Policy, "longestFindtime">): number =>
  2 * longestFindtime * 1000;
