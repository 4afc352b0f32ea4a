/**
 * Bans that this host does not apply, and why: the last few, for its status. Nothing is decided by
 * this list. It forgets what is old.
 */
import type { Log } from "../../process/log.ts";
import type { Address } from "../../wire/address.ts";

export interface SkippedBan {
  address: Address;
  reason: string;
}

export interface SkippedBans {
  /** Says so once. */
  note(address: Address, reason: string): void;
  forget(address: Address): void;
  list(): SkippedBan[];
}

/** As many as a status holds. */
const KEPT = 20;

export function createSkippedBans(log: Log): SkippedBans {
  const skipped = new Map<Address, string>();
  return {
    note(address, reason) {
      if (skipped.get(address) === reason) return;
      log.warn({ address, reason }, "not banned here");
      skipped.delete(address);
      skipped.set(address, reason);
      const [oldest] = skipped.keys();
      if (skipped.size > KEPT && oldest !== undefined) skipped.delete(oldest);
    },
    forget: (address) => void skipped.delete(address),
    list: () => [...skipped].map(([address, reason]) => ({ address, reason })),
  };
}
