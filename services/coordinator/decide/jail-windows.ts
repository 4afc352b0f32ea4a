/** The jails that count failures, each with its windows, and what in them a failure or a ban counts for. */
import type { Address } from "../../wire/address.ts";
import { countedUntil, type Ban } from "../../wire/ban.ts";
import type { Failure } from "../../wire/failure.ts";
import { createHostGroup } from "../../wire/host-pattern.ts";
import type { Jail } from "../../wire/settings.ts";
import { countedAs, countsSingly } from "../../policy/counted-network.ts";
import { bansLocallyFirst } from "../../policy/quorum.ts";
import { createWindows, type Windows } from "../../policy/sliding-window.ts";
import type { DeciderOptions } from "./decider.ts";

export interface JailWindows {
  jail: Jail;
  windows: Windows;
  /** Every address counts for itself. */
  isSingle: boolean;
  /** Does the jail count failures of the host? undefined: of every host. */
  isOfHost: ((host: string) => boolean) | undefined;
  /** May a failure confirm a ban that is in force on other hosts alone? */
  isConfirming: boolean;
}

export function openJailWindows(
  jail: Jail,
  { bans, hasLoggedIn }: Pick<DeciderOptions, "bans" | "hasLoggedIn">,
): JailWindows {
  const windows = createWindows({
    ...jail,
    findtime: jail.findtime * 1000,
    countedUntil(address) {
      const present = bans.get(jail.name, address);
      return present ? countedUntil(present) : -Infinity;
    },
    hasLoggedIn,
  });
  return {
    jail,
    windows,
    isSingle: countsSingly(jail),
    isOfHost: jail.hosts && createHostGroup(jail.hosts),
    isConfirming: bansLocallyFirst(jail),
  };
}

/**
 * What the failure counts for: its network, or its address where that network holds an allowed
 * address or a machine of the fleet, and so is never banned. undefined: a ban of the address itself
 * covers the failure, or the failure lies in the immunity of the address.
 */
export function addressToCount(
  jail: Jail,
  { address, at }: Failure,
  { bans, spared }: Pick<DeciderOptions, "bans" | "spared">,
): Address | undefined {
  const network = countedAs(address, jail);
  if (network === address || spared.isSpared(network, jail.name)) return address;
  const present = bans.get(jail.name, address);
  return present && countedUntil(present) >= at ? undefined : network;
}

/** A ban or an immunity of a single address also covers what the address did for its network. */
export function cover({ jail, windows }: JailWindows, { address }: Ban, until: number): void {
  windows.spend(address, until);
  const network = countedAs(address, jail);
  if (network !== address) windows.spendOf(network, address, until);
}
