/**
 * Addresses that no automatic ban of the fleet touches: those of the allowlist, and those of the
 * fleet's own machines. Until the settings bucket is read, those that this host knew last count, too.
 */
import type { Address } from "../wire/address.ts";
import { createAddressTrie, type AddressTrie } from "../wire/address-trie.ts";
import type { Allowed, Machine } from "../wire/settings.ts";
import type { LastSettings } from "./saved-settings.ts";

export interface SparedAddresses {
  allow(entry: Allowed): void;
  disallow(address: Address): void;
  setMachine(key: string, machine: Machine): void;
  deleteMachine(key: string): boolean;
  /** The bucket is read as a whole: what was known from before counts no more. */
  forgetLast(): void;
  allowed(address: Address): Allowed | undefined;
  /** What the machine of the fleet is whose address this is, or which the network holds. */
  machineAt(address: Address): string | undefined;
  allowlist(): Iterable<Allowed>;
  machines(): Iterable<Machine>;
}

export function createSparedAddresses(
  last: Pick<LastSettings, "allowed" | "machines">,
): SparedAddresses {
  const entries = new Map<Address, Allowed>();
  const allowed = createAddressTrie<Allowed>();
  const machines = new Map<string, Machine>();
  let lastAllowed = trieOf(last.allowed.map((entry) => [entry.address, entry]));
  let lastMachines = trieOfMachines(last.machines);
  /** undefined: to be made again, because a machine has changed. */
  let ofMachines: AddressTrie<string> | undefined;

  return {
    allow(entry) {
      entries.set(entry.address, entry);
      allowed.set(entry.address, entry);
    },
    disallow(address) {
      entries.delete(address);
      allowed.delete(address);
    },
    setMachine(key, machine) {
      machines.set(key, machine);
      ofMachines = undefined;
    },
    deleteMachine(key) {
      ofMachines = undefined;
      return machines.delete(key);
    },
    forgetLast() {
      lastAllowed = createAddressTrie();
      lastMachines = createAddressTrie();
    },
    allowed: (address) => allowed.find(address) ?? lastAllowed.find(address),
    machineAt(address) {
      ofMachines ??= trieOfMachines(machines.values());
      return ofMachines.find(address) ?? lastMachines.find(address);
    },
    allowlist: () => entries.values(),
    machines: () => machines.values(),
  };
}

function trieOfMachines(machines: Iterable<Machine>): AddressTrie<string> {
  const addresses = [...machines].flatMap((machine) => machine.addresses);
  return trieOf(addresses.map(({ address, what }) => [address, what]));
}

function trieOf<T>(entries: Iterable<[Address, T]>): AddressTrie<T> {
  const trie = createAddressTrie<T>();
  for (const [address, value] of entries) trie.set(address, value);
  return trie;
}
