/**
 * A dry-run touches nothing, and so leaves in force what another back end had in force when the
 * configuration was changed: bans that no unban reaches any more. That must be said.
 */
import { count } from "../../../config/count.ts";
import type { Log } from "../../../process/log.ts";
import type { FirewallKind } from "./firewall.ts";
import { readRemains, type Remains } from "./remains.ts";

export interface LeftBehind {
  /** Looks again. */
  look(): Promise<void>;
  /** What was found, and what to do about it; empty: nothing. */
  found(): readonly string[];
}

export interface LeftBehindOptions {
  kind: FirewallKind;
  remains: readonly Remains[];
  log: Log;
}

export function createLeftBehind({ kind, remains, log }: LeftBehindOptions): LeftBehind {
  let found: string[] = [];
  return {
    async look() {
      if (kind !== "dry-run") return; // the others take over what they find
      const now: string[] = [];
      for (const each of remains) {
        const bans = await readRemains(each);
        if (bans === undefined || bans.length === 0) continue;
        const text = `${count(bans.length, "ban")} of the back end ${each.of} are still in force, and nothing lifts them: fleetban-agent uninstall does`;
        now.push(text);
      }
      if (found.length === 0) for (const text of now) log.warn(`dry-run: ${text}`);
      found = now;
    },
    found: () => found,
  };
}
