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
  /** Says so once; of many for the same reason only the first. */
  note(address: Address, reason: string): void;
  forget(address: Address): void;
  list(): SkippedBan[];
}

/** As many as a status holds, and as the log names for one reason. */
const KEPT = 20;

export function createSkippedBans(log: Log): SkippedBans {
  const skipped = new Map<Address, string>();
  /** How many bans in a row were skipped for one reason: a firewall may refuse every ban there is. */
  let inARow = { reason: "", bans: 0 };

  function say(address: Address, reason: string): void {
    inARow = { reason, bans: reason === inARow.reason ? inARow.bans + 1 : 1 };
    if (inARow.bans <= KEPT) log.warn({ address, reason }, "not banned here");
    else if (inARow.bans === KEPT + 1) log.warn({ reason }, "more addresses are not banned here");
  }

  return {
    note(address, reason) {
      if (skipped.get(address) === reason) return;
      say(address, reason);
      skipped.delete(address);
      skipped.set(address, reason);
      const [oldest] = skipped.keys();
      if (skipped.size > KEPT && oldest !== undefined) skipped.delete(oldest);
    },
    forget: (address) => void skipped.delete(address),
    list: () => [...skipped].map(([address, reason]) => ({ address, reason })),
  };
}
