/**
 * Addresses and networks that no automatic ban may touch, as the settings bucket has them. An entry
 * is for every jail, or for one; an address may have an entry of either kind.
 */
import type { Address } from "../wire/address.ts";
import { createAddressTrie, type AddressTrie } from "../wire/address-trie.ts";
import type { Allowed } from "../wire/settings.ts";

/** What no two entries have in common. */
export type AllowedPlace = Pick<Allowed, "address" | "jail">;

export interface Allowlist {
  set(entry: Allowed): void;
  delete(place: AllowedPlace): void;
  /** The entry of exactly this address or network, for every jail or for exactly this one. */
  get(place: AllowedPlace): Allowed | undefined;
  /**
   * An entry that covers bans of `jail`, and that has an address in common with `address`: one for
   * every jail before one for this jail, and the largest one around it if any.
   */
  find(address: Address, jail: string): Allowed | undefined;
  /** The same of every jail: the entry for all of them, then those for one. */
  findAll(address: Address): Allowed[];
  list(): Allowed[];
}

const placeOf = ({ address, jail = "" }: AllowedPlace) => `${address} ${jail}`;

export function createAllowlist(entries: readonly Allowed[] = []): Allowlist {
  const all = new Map<string, Allowed>();
  const ofEvery = createAddressTrie<Allowed>();
  const ofJail = new Map<string, AddressTrie<Allowed>>();

  function trieOf(jail: string | undefined): AddressTrie<Allowed> {
    if (jail === undefined) return ofEvery;
    const trie = ofJail.get(jail) ?? createAddressTrie<Allowed>();
    ofJail.set(jail, trie);
    return trie;
  }

  function set(entry: Allowed): void {
    all.set(placeOf(entry), entry);
    trieOf(entry.jail).set(entry.address, entry);
  }

  for (const entry of entries) set(entry);
  return {
    set,
    delete(place) {
      all.delete(placeOf(place));
      trieOf(place.jail).delete(place.address);
    },
    get: (place) => all.get(placeOf(place)),
    find: (address, jail) => ofEvery.find(address) ?? ofJail.get(jail)?.find(address),
    findAll: (address) => [ofEvery, ...ofJail.values()].flatMap((trie) => trie.find(address) ?? []),
    list: () => [...all.values()],
  };
}
