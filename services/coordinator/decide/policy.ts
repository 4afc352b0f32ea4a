/** What of coordinator.yaml decides on bans: the part that a reload replaces. */
import { createHash } from "node:crypto";
import {
  createKeptSeconds,
  countsBans,
  memoryOf,
  type BanMemory,
} from "../../policy/ban-memory.ts";
import type { Jail, JailSetting } from "../../wire/settings.ts";
import type { AllowedEntry } from "../allowed-config.ts";
import type { CoordinatorConfig } from "../coordinator-config.ts";
import { applySettings, type IdleSetting } from "./applied-settings.ts";

export interface Policy {
  /** The same for the same jails and dbpurgeage, on whichever coordinator; every ban records it. */
  version: string;
  jails: readonly Jail[];
  /** The same as agents get them. */
  published: readonly Jail[];
  /** Settings of operators that do not fit the file. */
  idle: readonly IdleSetting[];
  /** Seconds, of all jails that count failures. */
  longestFindtime: number;
  memory: BanMemory;
  /** Seconds that an ended ban of a jail is remembered. */
  keptSeconds: (jail: string) => number;
  guard: CoordinatorConfig["guard"];
  allowed: readonly AllowedEntry[];
}

/** The policy of the file, with what operators have set of its jails. */
export function policyOf(config: CoordinatorConfig, settings: readonly JailSetting[] = []): Policy {
  const { allowlist, guard, dbpurgeage } = config;
  const { jails, published, idle } = applySettings(config.jails, settings);
  const memory = memoryOf(jails, dbpurgeage);
  const counting = jails.filter((jail) => !countsBans(jail));
  return {
    version: versionOf(jails, dbpurgeage),
    ...{ jails, published, idle },
    longestFindtime: Math.max(...counting.map(({ findtime }) => findtime)),
    memory,
    keptSeconds: createKeptSeconds(jails, memory),
    guard,
    allowed: allowlist,
  };
}

/** Eight digits: two policies of one fleet do not get the same version by chance. */
export function versionOf(jails: readonly Jail[], dbpurgeage: number): string {
  const sorted = jails.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const text = JSON.stringify([dbpurgeage, sorted], sortKeys);
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}

/** In the order of their names, because that of the file says nothing. */
function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Milliseconds of the past whose failures still matter. */
export const horizonOf = ({ longestFindtime }: Pick<Policy, "longestFindtime">): number =>
  2 * longestFindtime * 1000;
