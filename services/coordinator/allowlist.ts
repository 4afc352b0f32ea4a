/** Addresses and networks that no automatic ban may touch, as the settings bucket has them. */
import { overlaps, type Address } from "../wire/address.ts";
import type { Allowed } from "../wire/settings.ts";

export interface Allowlist {
  set(entry: Allowed): void;
  delete(address: Address): void;
  clear(): void;
  /** The first entry that has an address in common with `address`. */
  find(address: Address): Allowed | undefined;
  list(): Allowed[];
}

export function createAllowlist(): Allowlist {
  const entries = new Map<Address, Allowed>();
  return {
    set: (entry) => void entries.set(entry.address, entry),
    delete: (address) => void entries.delete(address),
    clear: () => entries.clear(),
    find(address) {
      for (const entry of entries.values()) if (overlaps(entry.address, address)) return entry;
      return undefined;
    },
    list: () => [...entries.values()],
  };
}
