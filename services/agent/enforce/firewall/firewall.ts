import { inSlices } from "../../../process/slices.ts";
import type { Address } from "../../../wire/address.ts";
import type { Protocol } from "../../../wire/settings.ts";

export const FIREWALL_KINDS = ["ipset", "nftables", "iptables", "dry-run"] as const;
export type FirewallKind = (typeof FIREWALL_KINDS)[number];

/** What a jail closes to the addresses that are banned in it. */
export interface FirewallJail {
  name: string;
  /** Empty: all ports. */
  ports: readonly number[];
  /** See `transportsOf`. */
  protocol?: Protocol | undefined;
}

export type Transport = "tcp" | "udp";

/**
 * The protocols whose ports a jail closes; "all": it closes everything, protocols without ports too.
 * Of a jail that names none: tcp for ports that are listed, everything where all ports are closed.
 */
export function transportsOf({ ports, protocol }: FirewallJail): readonly Transport[] | "all" {
  if (protocol === "tcp" || protocol === "udp") return [protocol];
  if (protocol === "tcp,udp") return ["tcp", "udp"];
  if (ports.length === 0) return "all";
  return protocol === "all" ? ["tcp", "udp"] : ["tcp"];
}

export interface Banned {
  jail: string;
  address: Address;
}

export interface TimedBan extends Banned {
  /** Seconds left; undefined: for ever. The kernel lifts the ban by itself when they are over. */
  seconds: number | undefined;
}

export interface Refused extends Banned {
  reason: string;
}

export interface Repair {
  /** What was put back, in words; empty: nothing was missing. */
  repaired: string[];
  /** A set was gone or emptied: `replace` must be called again. */
  bansLost: boolean;
  /** Why packets of banned addresses may get through all the same, with remedies; empty: none do. */
  ineffective: string[];
}

/**
 * Where bans take effect. Each call may be repeated with the same arguments
 * and then changes nothing; each resolves only after the kernel has agreed.
 * Calls take effect in the order in which they are made.
 */
export interface Firewall {
  readonly kind: FirewallKind;
  /**
   * Installs sets, chains and rules of these jails, reads them back, and removes
   * those of jails that are gone. Bans that are in force stay in force. `inherited` are those that
   * another back end has in force: they are in force here, too, when this resolves.
   */
  open(jails: readonly FirewallJail[], inherited?: readonly TimedBan[]): Promise<void>;
  /** Exactly these bans and no others, with no moment in between. */
  replace(bans: readonly TimedBan[]): Promise<Refused[]>;
  /** Adds or renews; returns what the kernel would not take. */
  ban(bans: readonly TimedBan[]): Promise<Refused[]>;
  unban(bans: readonly Banned[]): Promise<void>;
  /** The bans in force, read back from the kernel rather than remembered. */
  list(): Promise<TimedBan[]>;
  /** Number of bans in force, read back. */
  count(): Promise<number>;
  /** Puts back what somebody has changed of what `open` installed, and proves that it takes effect. */
  repair(): Promise<Repair>;
  /** Lets go of the kernel; bans stay in force. */
  close(): Promise<void>;
}

/** Splits off the bans in jails that a firewall does not have. */
export function sortOut<B extends Banned>(
  bans: readonly B[],
  jails: readonly FirewallJail[],
): { known: B[]; refused: Refused[] } {
  const names = new Set(jails.map(({ name }) => name));
  return {
    known: bans.filter(({ jail }) => names.has(jail)),
    refused: bans.filter(({ jail }) => !names.has(jail)).map(refuseUnknown),
  };
}

/** The same for all bans of a host, of which there may be many. */
export async function sortOutInSlices<B extends Banned>(
  bans: readonly B[],
  jails: readonly FirewallJail[],
): Promise<{ known: B[]; refused: Refused[] }> {
  const names = new Set(jails.map(({ name }) => name));
  const known: B[] = [];
  const refused: Refused[] = [];
  await inSlices(bans, (ban) => {
    if (names.has(ban.jail)) known.push(ban);
    else refused.push(refuseUnknown(ban));
  });
  return { known, refused };
}

/** The ban's jail is not one of this host's. */
export function refuseUnknown({ jail, address }: Banned): Refused {
  return { jail, address, reason: `there is no jail ${jail} here` };
}
