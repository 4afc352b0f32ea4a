/**
 * Addresses that no automatic ban of the fleet touches: those of the allowlist, and those of the
 * fleet's own machines. Until the settings bucket is read, those that this host knew last count, too.
 */
import type { Address } from "../wire/address.ts";
import { createAddressTrie, type AddressTrie } from "../wire/address-trie.ts";
import { createAllowlist, type AllowedPlace } from "../policy/allowlist.ts";
import type { Allowed, Machine } from "../wire/settings.ts";
import type { LastSettings } from "./saved-settings.ts";

export interface SparedAddresses {
  allow(entry: Allowed): void;
  disallow(place: AllowedPlace): void;
  setMachine(key: string, machine: Machine): void;
  deleteMachine(key: string): boolean;
  /** The bucket is read as a whole: what was known from before counts no more. */
  forgetLast(): void;
  allowed(address: Address, jail: string): Allowed | undefined;
  /** What the machine of the fleet is whose address this is, or which the network holds. */
  machineAt(address: Address): string | undefined;
  allowlist(): Iterable<Allowed>;
  machines(): Iterable<Machine>;
}

export function createSparedAddresses(
  last: Pick<LastSettings, "allowed" | "machines">,
): SparedAddresses {
  const allowlist = createAllowlist();
  const machines = new Map<string, Machine>();
  let lastAllowed = createAllowlist(last.allowed);
  let lastMachines = trieOfMachines(last.machines);
  /** undefined: to be made again, because a machine has changed. */
  let ofMachines: AddressTrie<string> | undefined;

  return {
    allow: allowlist.set,
    disallow: allowlist.delete,
    setMachine(key, machine) {
      machines.set(key, machine);
      ofMachines = undefined;
    },
    deleteMachine(key) {
      ofMachines = undefined;
      return machines.delete(key);
    },
    forgetLast() {
      lastAllowed = createAllowlist();
      lastMachines = createAddressTrie();
    },
    allowed: (address, jail) => allowlist.find(address, jail) ?? lastAllowed.find(address, jail),
    machineAt(address) {
      ofMachines ??= trieOfMachines(machines.values());
      return ofMachines.find(address) ?? lastMachines.find(address);
    },
    allowlist: allowlist.list,
    machines: () => machines.values(),
  };
}

function trieOfMachines(machines: Iterable<Machine>): AddressTrie<string> {
  const addresses = [...machines].flatMap((machine) => machine.addresses);
  const trie = createAddressTrie<string>();
  for (const { address, what } of addresses) trie.set(address, what);
  return trie;
}
