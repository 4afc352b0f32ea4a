/** Puts back what others have changed of fleetban's rules and sets, and remembers what it has found. */
import { count } from "../../config/count.ts";
import type { Log } from "../../process/log.ts";
import { FirewallError } from "./firewall/command.ts";
import type { Firewall, Repair } from "./firewall/firewall.ts";
import type { Comparison } from "./kernel-bans.ts";

/** To read all names takes up to seconds of 100,000 bans, beside new bans: one repair in 15 does it. */
const NAMES_EVERY = 15;

type CountMissing = (by: Comparison) => Promise<number>;

export interface FirewallRepairs {
  /**
   * `bansLost`: all bans must be brought in again. `isNews`: the host's status has changed.
   * `countMissing` counts in the kernel how many bans have left it although they are not over.
   */
  repair(countMissing: CountMissing): Promise<{ bansLost: boolean; isNews: boolean }>;
  /** How often something had to be put back. */
  count(): number;
  /** Why packets of banned addresses may get through, as of the last repair. */
  ineffective(): readonly string[];
}

export function createFirewallRepairs(firewall: Firewall, log: Log): FirewallRepairs {
  let repairs = 0;
  let looks = 0;
  let ineffective: readonly string[] = [];
  return {
    async repair(countMissing) {
      looks += 1;
      const by = looks % NAMES_EVERY === 0 ? "names" : "number";
      const found = await repairOrExplain(firewall, () => countMissing(by));
      const { repaired, bansLost } = found;
      const isOther = found.ineffective.join() !== ineffective.join();
      ineffective = found.ineffective;
      const isRepaired = repaired.length > 0;
      if (isRepaired) {
        repairs += 1;
        log.warn({ repaired, bansLost }, "firewall was changed from outside, and is repaired");
      }
      return { bansLost, isNews: isOther || isRepaired };
    },
    count: () => repairs,
    ineffective: () => ineffective,
  };
}

/** A firewall that cannot be read or repaired keeps the bans that it has: it is tried again. */
async function repairOrExplain(
  firewall: Firewall,
  countMissing: () => Promise<number>,
): Promise<Repair> {
  try {
    const repair = await firewall.repair();
    const missing = repair.bansLost ? 0 : await countMissing();
    if (missing === 0) return repair;
    const repaired = [...repair.repaired, `${count(missing, "ban")} had been taken out`];
    return { ...repair, repaired, bansLost: true };
  } catch (error) {
    if (!(error instanceof FirewallError)) throw error;
    const reason =
      `the firewall cannot be checked or repaired: ${error.message}; fleetban-agent check on the ` +
      "host says what is missing";
    return { repaired: [], bansLost: false, ineffective: [reason] };
  }
}
