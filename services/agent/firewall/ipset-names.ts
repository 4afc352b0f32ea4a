/** Names and limits of the kernel's objects that belong to fleetban. */
import { parseNetwork, type Address } from "../../wire/address.ts";
import { JAIL_NAME } from "../../wire/subjects.ts";
import { FirewallError } from "./command.ts";

export const FAMILIES = [
  { family: 4, inet: "inet", iptables: "iptables" },
  { family: 6, inet: "inet6", iptables: "ip6tables" },
] as const;
export type Family = (typeof FAMILIES)[number];

/** ipset keeps a timeout in milliseconds in 32 bits; 0 means for ever. */
export const MAX_SECONDS = 2_147_483;
/** Bans in force per jail and family. */
export const MAX_MEMBERS = 1_048_576;

const PREFIX = "fleetban-";

/** At most 27 of the 28 characters that iptables allows. */
export function chainName(jail: string): string {
  if (!JAIL_NAME.test(jail)) throw new FirewallError(`"${jail}": not the name of a jail`);
  return `${PREFIX}${jail}`;
}

/** At most 27 of the 31 characters that ipset allows, with the mark of a spare set 28. */
export function setName(jail: string, family: 4 | 6): string {
  return `${chainName(jail)}-${family}`;
}

/** The set that `replace` fills before it is swapped in. */
export function spareName(set: string): string {
  return `${set}~`;
}

/** The jail whose set this is, or undefined when it is none of ours. */
export function jailOfSet(set: string): string | undefined {
  const jail = /^fleetban-(.+)-[46]~?$/.exec(set)?.[1];
  return jail !== undefined && JAIL_NAME.test(jail) ? jail : undefined;
}

/** The jail whose chain this is, or undefined when it is none of ours. */
export function jailOfChain(chain: string): string | undefined {
  const jail = chain.startsWith(PREFIX) ? chain.slice(PREFIX.length) : "";
  return JAIL_NAME.test(jail) ? jail : undefined;
}

export function createSetLine(set: string, { inet }: Family, hashsize = 4096): string {
  return `create ${set} hash:net family ${inet} hashsize ${hashsize} maxelem ${MAX_MEMBERS} timeout 0`;
}

/**
 * "add SET ADDRESS timeout N". Whatever a caller has let through: what is no canonical
 * address never becomes a line of ipset's language.
 */
export function addLine(set: string, address: Address, seconds: number | undefined): string {
  const timeout =
    seconds === undefined ? 0 : Math.min(Math.max(Math.ceil(seconds), 1), MAX_SECONDS);
  return `add ${set} ${checked(address)} timeout ${timeout} -exist`;
}

export function deleteLine(set: string, address: Address): string {
  return `del ${set} ${checked(address)} -exist`;
}

export function testLine(set: string, address: Address): string {
  return `test ${set} ${checked(address)}`;
}

function checked(address: Address): Address {
  if (parseNetwork(address) === address) return address;
  throw new FirewallError(`"${address}": not an address in canonical spelling`);
}
