/** Addresses and networks that no automatic ban may touch, as the settings bucket has them. */
import type { Address } from "../../wire/address.ts";
import { createAddressTrie } from "../../wire/address-trie.ts";
import type { Allowed } from "../../wire/settings.ts";

export interface Allowlist {
  set(entry: Allowed): void;
  delete(address: Address): void;
  /** The entry of exactly this address or network. */
  get(address: Address): Allowed | undefined;
  /** An entry that has an address in common with `address`, the largest one around it if any. */
  find(address: Address): Allowed | undefined;
  list(): Allowed[];
}

export function createAllowlist(): Allowlist {
  const entries = new Map<Address, Allowed>();
  const trie = createAddressTrie<Allowed>();
  return {
    set(entry) {
      entries.set(entry.address, entry);
      trie.set(entry.address, entry);
    },
    delete(address) {
      entries.delete(address);
      trie.delete(address);
    },
    get: (address) => entries.get(address),
    find: trie.find,
    list: () => [...entries.values()],
  };
}
