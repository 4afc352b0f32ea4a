/** The lane that decides for this host while nobody else does: its parts, and what they follow. */
import type { Found } from "../../detection/attempts/failure.ts";
import type { Log } from "../../process/log.ts";
import type { Address } from "../../wire/address.ts";
import type { WarningFacts } from "../../wire/warnings.ts";
import type { AgentConfig } from "../agent-config.ts";
import type { FleetSettings } from "../fleet-settings.ts";
import type { SeenLogins } from "../seen-logins.ts";
import type { StateHealth } from "../state/state-health.ts";
import { createAlone } from "./alone.ts";
import { createContact } from "./contact.ts";
import { createDecidedBans, type FleetState, type Progress } from "./decided-bans.ts";
import { keepStateOfAlone, readStateOfAlone } from "./local-bans-file.ts";
import type { LocalDecision } from "./local-count.ts";

export interface StandingAlone {
  /** Hears of every failure that is found on this host, and of every attempt that is withdrawn. */
  note(jail: string, found: Found): void;
  /** NATS was reached for the first time. */
  follow(way: Way): void;
  /** What operators should know; undefined: this host is not alone. */
  trouble(): WarningFacts<"host-alone"> | undefined;
  stop(): Promise<void>;
}

/** The way to the fleet, from when it was there for the first time. */
export interface Way {
  isConnected: () => boolean;
  /** See Progress. */
  storedUpTo: () => number | undefined;
}

export interface StandingAloneOptions {
  config: Pick<AgentConfig, "host" | "stateDir" | "fallbackAfter">;
  settings: Pick<FleetSettings, "jails" | "isJailOf" | "hasPolicy" | "whySpared" | "onSignOfLife">;
  /** What this host knows of known-good addresses. */
  logins: Pick<SeenLogins, "hasLoggedIn">;
  /** The lane that brings bans into the kernel. */
  enforcing: {
    banLocally(ban: LocalDecision): void;
    endLocally(ban: LocalDecision): void;
    onFleetBan(listener: (ban: FleetState, isHere: boolean) => void): void;
    fleetBan(jail: string, address: Address): FleetState | undefined;
    whyNeverBanned(address: Address): string | undefined;
    state(): Pick<Progress, "revision" | "bansCreated">;
  };
  state: StateHealth;
  log: Log;
}

const LOOK_EVERY_MS = 1_000;

/** undefined: fallbackAfter is "never". */
export async function standAloneIfWanted(
  options: StandingAloneOptions,
): Promise<StandingAlone | undefined> {
  const { config, settings, enforcing, log } = options;
  const { host, stateDir, fallbackAfter } = config;
  if (fallbackAfter === "never") return undefined;
  let way: Way | undefined;
  const alone = createAlone({
    ...{ host, settings, log, now: Date.now, fallbackAfterMs: fallbackAfter * 1000 },
    contact: createContact({
      isUp: () => way?.isConnected() ?? false,
      clock: () => performance.now(),
    }),
    decided: createDecidedBans(),
    whySpared: (address, jail) =>
      enforcing.whyNeverBanned(address) ?? settings.whySpared(address, jail),
    hasLoggedIn: options.logins.hasLoggedIn,
    countedUntil: (jail, address) => enforcing.fleetBan(jail, address)?.countedUntil,
    progress() {
      const { revision, bansCreated } = enforcing.state();
      return { storedUpTo: way?.storedUpTo(), revision, bansCreated };
    },
    ban: enforcing.banLocally,
    unban: enforcing.endLocally,
    onChange: () => file.changed(),
  });
  const describe = () => ({ aloneSince: alone.since() ?? null, bans: alone.bans() });
  const file = keepStateOfAlone(stateDir, describe, options.state.of("alone"));
  alone.restore((await readStateOfAlone(stateDir))?.bans ?? []);
  settings.onSignOfLife(alone.noteSign);
  enforcing.onFleetBan(alone.noteFleetBan);
  const timer = setInterval(alone.look, LOOK_EVERY_MS);

  return {
    note: alone.note,
    follow: (found) => void (way = found),
    trouble() {
      const since = alone.since();
      return since === undefined ? undefined : { since, bans: alone.bans().length };
    },
    stop() {
      clearInterval(timer);
      return file.close();
    },
  };
}
