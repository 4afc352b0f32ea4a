/** Offences that bring no ban, because their address is on the allowlist or a machine of the fleet. */
import type { Log } from "../../process/log.ts";
import { createRateLimit } from "../../process/rate-limit.ts";
import type { Address } from "../../wire/address.ts";
import type { Allowlist } from "../../policy/allowlist.ts";
import type { OwnMachines } from "../hosts/own-machines.ts";

export interface SparedOffences {
  /** The same as `spares`, where there is no offence yet: nothing is counted or logged. */
  isSpared(address: Address, jail: string): boolean;
  /** May no automatic ban of the jail touch `address`? Counts the offence, and logs it once a minute. */
  spares(address: Address, jail: string): boolean;
  /** Since the start. */
  counts(): { allowlist: number; machines: number };
}

export interface SparedOptions {
  allowlist: Pick<Allowlist, "find">;
  machines: Pick<OwnMachines, "find">;
  now: () => number;
  log: Log;
}

const SAY_EVERY_MS = 60_000;

export function createSparedOffences({
  allowlist,
  machines,
  now,
  log,
}: SparedOptions): SparedOffences {
  const maySay = createRateLimit(SAY_EVERY_MS, now);
  const counts = { allowlist: 0, machines: 0 };
  return {
    isSpared: (address, jail) =>
      (allowlist.find(address, jail) ?? machines.find(address)) !== undefined,
    spares(address, jail) {
      const allowed = allowlist.find(address, jail);
      if (allowed) {
        counts.allowlist += 1;
        if (maySay(address)) {
          log.info({ address, allowed: allowed.address }, "allowlisted, not banned");
        }
        return true;
      }
      const machine = machines.find(address);
      if (!machine) return false;
      counts.machines += 1;
      if (maySay(address)) {
        const facts = { address, machine: machine.what, own: machine.address };
        log.warn(facts, "address of a machine of the fleet, not banned");
      }
      return true;
    },
    counts: () => ({ ...counts }),
  };
}
