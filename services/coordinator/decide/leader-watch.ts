/**
 * Whether the coordinator that holds the lease really decides. Its signs of life say up to where
 * failures are decided, or that it has not come to their end. Every coordinator reads them, so the
 * warning comes from whichever one is asked.
 */
import type { Setting } from "../../wire/settings.ts";
import { warn, type Warning } from "../../wire/warnings.ts";
import type { Lease } from "../buckets/lease.ts";

export interface LeaderWatch {
  /** The settings bucket has this now; undefined: nothing. */
  noteSetting(setting: Setting | undefined): void;
  warnings(): Warning[];
}

/** A leader that starts counts the failures of the past first. */
const PATIENCE_MS = 30_000;

export function createLeaderWatch({
  holder,
  now,
}: {
  holder: Lease["holder"];
  now: () => number;
}): LeaderWatch {
  let leader: string | undefined;
  /** When the leader had come to the end of the failures, or when it became the leader. */
  let decidedAt = now();
  return {
    noteSetting(setting) {
      if (setting?.type !== "leader") return;
      const { id, failures } = setting.sign;
      if (failures !== null || id !== leader) decidedAt = now();
      leader = id;
    },
    warnings() {
      const coordinator = holder();
      if (coordinator === null || now() - decidedAt < PATIENCE_MS) return [];
      return [warn("decisions-late", { coordinator, since: decidedAt })];
    },
  };
}
