/**
 * What an address is counted and banned as: itself, or the network of the jail's prefix around it.
 *
 * Whoever rents one machine has a whole /64 of IPv6: counted one by one, its addresses would
 * never reach maxretry. fail2ban counts single addresses, which is ipv6_prefix 128.
 */
import { familyOf, networkOf, type Address } from "../wire/address.ts";

/** Bits of the prefix that addresses are counted by; undefined: single addresses. */
export interface CountedPrefixes {
  ipv4_prefix?: number | undefined;
  ipv6_prefix?: number | undefined;
}

/** Does every address count for itself? */
export function countsSingly({ ipv4_prefix = 32, ipv6_prefix = 128 }: CountedPrefixes): boolean {
  return ipv4_prefix === 32 && ipv6_prefix === 128;
}

/** The address, or its network. */
export function countedAs(
  address: Address,
  { ipv4_prefix = 32, ipv6_prefix = 128 }: CountedPrefixes,
): Address {
  return networkOf(address, familyOf(address) === 4 ? ipv4_prefix : ipv6_prefix);
}
