/** Bans that this host does not apply, and why; the last few, for its status. */
import type { Log } from "../daemon/log.ts";
import type { Address } from "../wire/address.ts";

export interface Refusal {
  address: Address;
  reason: string;
}

export interface Refusals {
  /** Says so once. */
  note(address: Address, reason: string): void;
  forget(address: Address): void;
  has(address: Address): boolean;
  list(): Refusal[];
}

/** As many as a status holds. */
const KEPT = 20;

export function createRefusals(log: Log): Refusals {
  const refused = new Map<Address, string>();
  return {
    note(address, reason) {
      if (refused.get(address) === reason) return;
      log.warn({ address, reason }, "not banned here");
      refused.delete(address);
      refused.set(address, reason);
      const [oldest] = refused.keys();
      if (refused.size > KEPT && oldest !== undefined) refused.delete(oldest);
    },
    forget: (address) => void refused.delete(address),
    has: (address) => refused.has(address),
    list: () => [...refused].map(([address, reason]) => ({ address, reason })),
  };
}
