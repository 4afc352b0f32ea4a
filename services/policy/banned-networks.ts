/**
 * Networks that are banned because many of their addresses are: the option `network` of one jail.
 * An address counts once, from the beginning of its last ban. Bans that an operator has made or
 * lifted, bans that are held, and bans in force on a few hosts alone do not count.
 *
 * Every reader of the bans bucket counts the same, in whatever order it sees the entries.
 */
import { networkOf, familyOf, prefixOf, type Address } from "../wire/address.ts";
import type { Ban } from "../wire/ban.ts";
import type { Jail } from "../wire/settings.ts";
import { isOffence } from "./ban-memory.ts";
import type { Offence } from "./sliding-window.ts";

export interface BannedNetworks {
  /** Counts the ban; returns the offence that it completes, of addresses banned after `countedUntil`. */
  note(ban: Ban, countedUntil: (network: Address) => number): Offence | undefined;
  /** Forgets bans that are too old to matter at `now`. */
  sweep(now: number): void;
}

type Escalation = NonNullable<Jail["network"]>;

/** `shadow`: the jail is in shadow mode, and so is what brings its networks. */
export function createBannedNetworks(
  options: Escalation,
  { shadow = false }: Pick<Jail, "shadow"> = {},
): BannedNetworks {
  const { addresses: needed, findtime } = options;
  const networks = new Map<Address, Map<Address, Ban>>();

  function remove(network: Address, address: Address): void {
    const bans = networks.get(network);
    bans?.delete(address);
    if (bans?.size === 0) networks.delete(network);
  }

  return {
    note(ban, countedUntil) {
      const network = networkAround(ban.address, options);
      if (network === undefined) return undefined;
      const isCounted = (isOffence(ban) || (shadow && ban.state === "shadow")) && !ban.hosts;
      if (!isCounted || ban.evidence.length === 0) {
        remove(network, ban.address);
        return undefined;
      }
      const bans = networks.get(network) ?? new Map<Address, Ban>();
      networks.set(network, bans.set(ban.address, ban));
      if (bans.size < needed) return undefined;
      const answered = countedUntil(network);
      const isEnd = ({ startsAt }: Ban) =>
        startsAt > answered &&
        startsAt >= ban.startsAt &&
        startsAt - findtime * 1000 < ban.startsAt;
      // A reader that begins anew may see this ban after one that has begun later.
      const ends = [...bans.values()].filter(isEnd).map(({ startsAt }) => startsAt);
      for (const end of ends.sort((a, b) => a - b)) {
        const begin = Math.max(end - findtime * 1000, answered);
        const counted = [...bans.values()].filter(
          ({ startsAt }) => startsAt > begin && startsAt <= end,
        );
        if (counted.length >= needed) return offenceOf(network, counted);
      }
      return undefined;
    },
    sweep(now) {
      for (const [network, bans] of networks) {
        for (const { address, startsAt } of bans.values()) {
          if (startsAt <= now - 2 * findtime * 1000) remove(network, address);
        }
      }
    },
  };
}

/** undefined: the banned address is in no network that could be banned because of it. */
export function networkAround(
  address: Address,
  { prefix4, prefix6 }: Pick<Escalation, "prefix4" | "prefix6">,
): Address | undefined {
  const prefix = familyOf(address) === 4 ? prefix4 : prefix6;
  return prefixOf(address) > prefix ? networkOf(address, prefix) : undefined;
}

function offenceOf(network: Address, bans: readonly Ban[]): Offence {
  const starts = bans.map(({ startsAt }) => startsAt);
  const hosts = new Map<string, number>();
  const addresses = new Map<Address, number>();
  for (const { address, evidence } of bans) {
    for (const { host, failures } of evidence) {
      hosts.set(host, (hosts.get(host) ?? 0) + failures);
      addresses.set(address, (addresses.get(address) ?? 0) + failures);
    }
  }
  const [at, since] = [Math.max(...starts), Math.min(...starts)];
  return { address: network, at, since, hosts, addresses, rule: "network" };
}
