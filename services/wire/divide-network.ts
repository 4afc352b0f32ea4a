/**
 * Divides a network around addresses that must not be banned, so that a ban of the network can
 * leave them out: 192.0.2.0/24 around 192.0.2.7 is eight networks, from 192.0.2.0/30 to
 * 192.0.2.128/25, and the address 192.0.2.6.
 */
import { contains, halvesOf, type Address } from "./address.ts";

export interface DividedNetwork<T> {
  /** The fewest networks and addresses that make up the rest, in ascending order. */
  free: Address[];
  /** The parts that are left out, each with the entry that covers the part, in ascending order. */
  taken: { address: Address; entry: T }[];
}

/**
 * `find` returns an entry that has an address in common with the network or address that is asked
 * for: the largest one around it, if there is any. undefined: the division has more than `mostParts`
 * parts.
 */
export function divideNetwork<T extends { address: Address }>(
  network: Address,
  find: (address: Address) => T | undefined,
  mostParts: number,
): DividedNetwork<T> | undefined {
  const divided: DividedNetwork<T> = { free: [], taken: [] };
  /** The parts that are still to be looked at, the lowest last. */
  const waiting = [network];
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    const entry = find(part);
    if (entry === undefined) divided.free.push(part);
    else if (contains(entry.address, part)) divided.taken.push({ address: part, entry });
    else waiting.push(...halvesOf(part).reverse());
    if (divided.free.length + divided.taken.length > mostParts) return undefined;
  }
  return divided;
}
