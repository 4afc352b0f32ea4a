/**
 * Counts the failures of this host alone, by the fleet's policy as far as one host can: a jail's
 * maxretry, findtime, prefixes, decoys, and user names and domains. Addresses are known good by the
 * logins of this host alone. Pure.
 *
 * Jails that one host must not decide in do not count: those in shadow mode, of other hosts, that
 * count bans, or that need several hosts (`quorum: local-first` lets one host ban for itself). The
 * first bantime is what a ban lasts: how often the address was banned before is not known here.
 */
import type { Failure } from "../../detection/attempts/failure.ts";
import { countsBans } from "../../policy/ban-memory.ts";
import { countedAs } from "../../policy/counted-network.ts";
import { isPausedAt } from "../../policy/jail-pause.ts";
import { bansLocallyFirst } from "../../policy/quorum.ts";
import { createWindows, type Windows } from "../../policy/sliding-window.ts";
import type { Address } from "../../wire/address.ts";
import type { Jail } from "../../wire/settings.ts";
import type { JailFailure } from "./recent-failures.ts";

/** What this host has decided. */
export interface LocalDecision {
  jail: string;
  address: Address;
  /** When the failure happened that completed it, epoch milliseconds. */
  at: number;
  /** null: for ever. */
  until: number | null;
}

export interface LocalCount {
  /** Counts a failure that is certain; returns the bans that it brings. */
  add(failure: JailFailure, now: number): LocalDecision[];
  /** Addresses and networks that are tracked. */
  tracked(): number;
}

export interface LocalCountOptions {
  host: string;
  jails: readonly Jail[];
  isJailOf: (jail: string, host: string) => boolean;
  /** Up to when failures do not count, epoch milliseconds; undefined: all of them do. */
  countedUntil: (jail: string, address: Address) => number | undefined;
  /** Has somebody logged in from the address since then? */
  hasLoggedIn: (address: Address, since: number) => boolean;
  /** What is left of a failure's attempts. */
  attemptsLeft: (failure: Failure) => number;
  /** Is the address, or one of the network, never banned? */
  isSpared: (address: Address, jail: string) => boolean;
}

interface CountedJail {
  jail: Jail;
  windows: Windows;
}

export function createLocalCount(options: LocalCountOptions): LocalCount {
  const { host, isSpared } = options;
  const mayDecide = (jail: Jail): boolean =>
    !countsBans(jail) &&
    jail.shadow !== true &&
    options.isJailOf(jail.name, host) &&
    (jail.minhosts === undefined || bansLocallyFirst(jail));

  const jails = new Map<string, CountedJail>(
    options.jails.filter(mayDecide).map((jail) => {
      const windows = createWindows({
        ...{ ...jail, findtime: jail.findtime * 1000, minhosts: undefined },
        hasLoggedIn: options.hasLoggedIn,
        countedUntil: (address) => options.countedUntil(jail.name, address) ?? -Infinity,
      });
      return [jail.name, { jail, windows }];
    }),
  );

  /** A network that holds an address which is never banned is not counted, as the decider does it. */
  function addressToCount(jail: Jail, address: Address, at: number): Address | undefined {
    const network = countedAs(address, jail);
    if (network === address || isSpared(network, jail.name)) return address;
    return (options.countedUntil(jail.name, address) ?? -Infinity) >= at ? undefined : network;
  }

  return {
    add({ jail: name, failure }, now) {
      const counted = jails.get(name);
      const attempts = options.attemptsLeft(failure);
      if (!counted || attempts === 0) return [];
      const { jail, windows } = counted;
      const at = Math.round(Math.min(failure.at, now));
      if (isPausedAt(jail, at) || isPausedAt(jail, now)) return [];
      const address = addressToCount(jail, failure.address, at);
      if (address === undefined) return [];
      const given = { address: failure.address, at, attempts, user: failure.user };
      return windows
        .add(address, host, given)
        .map((offence) => decisionOf(jail, offence))
        .filter(({ address, until }) => (until ?? Infinity) > now && !isSpared(address, name));
    },
    tracked: () => [...jails.values()].reduce((sum, { windows }) => sum + windows.size, 0),
  };
}

function decisionOf(
  { name, bantime }: Jail,
  { address, at }: { address: Address; at: number },
): LocalDecision {
  const until = bantime === null ? null : Math.round(at + bantime * 1000);
  return { jail: name, address, at, until };
}
