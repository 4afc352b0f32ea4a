/** Names of the kernel's objects that belong to fleetban, and what all back ends write into them. */
import { parseNetwork, type Address } from "../../../wire/address.ts";
import { JAIL_NAME } from "../../../wire/subjects.ts";
import { FirewallError } from "./command.ts";

export const FAMILIES = [
  { family: 4, inet: "inet", iptables: "iptables" },
  { family: 6, inet: "inet6", iptables: "ip6tables" },
] as const;
export type Family = (typeof FAMILIES)[number];

const PREFIX = "fleetban-";

/** At most 27 of the 28 characters that iptables allows. */
export function chainName(jail: string): string {
  return `${PREFIX}${checkedJail(jail)}`;
}

/** The jail whose chain this is, or undefined when it is none of ours. */
export function jailOfChain(chain: string): string | undefined {
  const jail = chain.startsWith(PREFIX) ? chain.slice(PREFIX.length) : "";
  return JAIL_NAME.test(jail) ? jail : undefined;
}

/**
 * Whatever a caller has let through: what is no name of a jail, or no canonical
 * address, never becomes a word of the firewall tools' languages.
 */
export function checkedJail(jail: string): string {
  if (JAIL_NAME.test(jail)) return jail;
  throw new FirewallError(`"${jail}": not the name of a jail`);
}

export function checked(address: Address): Address {
  if (parseNetwork(address) === address) return address;
  throw new FirewallError(`"${address}": not an address in canonical spelling`);
}
