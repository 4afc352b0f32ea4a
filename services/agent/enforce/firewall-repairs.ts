/** Puts back what others have changed of fleetban's rules and sets, and remembers what it has found. */
import type { Log } from "../../process/log.ts";
import { FirewallError } from "./firewall/command.ts";
import type { Firewall, Repair } from "./firewall/firewall.ts";

export interface FirewallRepairs {
  /** `bansLost`: all bans must be brought in again. `isNews`: the host's status has changed. */
  repair(): Promise<{ bansLost: boolean; isNews: boolean }>;
  /** How often something had to be put back. */
  count(): number;
  /** Why packets of banned addresses may get through, as of the last repair. */
  ineffective(): readonly string[];
}

export function createFirewallRepairs(firewall: Firewall, log: Log): FirewallRepairs {
  let count = 0;
  let ineffective: readonly string[] = [];
  return {
    async repair() {
      const { repaired, bansLost, ineffective: found } = await repairOrExplain(firewall);
      const isOther = found.join() !== ineffective.join();
      ineffective = found;
      const isRepaired = repaired.length > 0;
      if (isRepaired) {
        count += 1;
        log.warn({ repaired, bansLost }, "firewall was changed from outside, and is repaired");
      }
      return { bansLost, isNews: isOther || isRepaired };
    },
    count: () => count,
    ineffective: () => ineffective,
  };
}

/** A firewall that cannot be read or repaired keeps the bans that it has: it is tried again. */
async function repairOrExplain(firewall: Firewall): Promise<Repair> {
  try {
    return await firewall.repair();
  } catch (error) {
    if (!(error instanceof FirewallError)) throw error;
    const reason = `the firewall cannot be checked or repaired: ${error.message}`;
    return { repaired: [], bansLost: false, ineffective: [reason] };
  }
}
