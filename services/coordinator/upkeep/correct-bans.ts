/**
 * Corrects bans by what is on record of the bans before them (see recalled-ban.ts): a ban that was
 * decided before they were known may have the wrong offence number, length and end.
 */
import { inSlices } from "../../process/slices.ts";
import { sideBySide } from "../../process/side-by-side.ts";
import type { Address } from "../../wire/address.ts";
import type { Ban } from "../../wire/ban.ts";
import type { Jail } from "../../wire/settings.ts";
import type { NewChange } from "../../policy/ban-memory.ts";
import { recallEarlier, type RecordedBans } from "../../policy/recalled-ban.ts";
import type { BanStore } from "../buckets/ban-store.ts";
import type { History } from "../history/history.ts";

export interface BanCorrectionOptions {
  bans: Pick<BanStore, "change" | "entries">;
  history: Pick<History, "bansOf">;
  policy: () => { jails: readonly Jail[] };
  newChange: NewChange;
  now: () => number;
}

export interface BanCorrection {
  /** Corrects the ban of an entry by what `record` has of its address; undefined: it is right. */
  correct(present: Ban, record: RecordedBans): Ban | undefined;
  /** Corrects all bans of the bucket; returns how many were wrong. */
  correctAll(keptSeconds: number): Promise<number>;
}

const AT_ONCE = 64;
const ADDRESSES_AT_ONCE = 500;

export function createBanCorrection(options: BanCorrectionOptions): BanCorrection {
  const { bans, history, policy, newChange, now } = options;

  function correct(present: Ban, record: RecordedBans): Ban | undefined {
    const jail = policy().jails.find(({ name }) => name === present.jail);
    return jail && recallEarlier(present, record, jail, newChange(jail, present.address));
  }

  /** Returns how many bans of the address were wrong. */
  async function correctAddress(address: Address, record: RecordedBans): Promise<number> {
    let corrected = 0;
    for (const { name } of policy().jails) {
      const written = await bans.change(
        name,
        address,
        (present) => present && correct(present, record),
      );
      if (written) corrected += 1;
    }
    return corrected;
  }

  async function correctAll(keptSeconds: number): Promise<number> {
    const addresses = new Set<Address>();
    await inSlices(bans.entries(), ({ ban }) => addresses.add(ban.address));
    const waiting = [...addresses];
    let corrected = 0;
    while (waiting.length > 0) {
      const some = waiting.splice(-ADDRESSES_AT_ONCE);
      const byAddress = groupByAddress(await history.bansOf(some, now(), keptSeconds));
      await sideBySide(byAddress, AT_ONCE, async ([address, record]) => {
        const ofAddress = await correctAddress(address, record);
        corrected += ofAddress;
      });
    }
    return corrected;
  }

  return { correct, correctAll };
}

function groupByAddress(bans: readonly Ban[]): Map<Address, Map<string, Ban[]>> {
  const groups = new Map<Address, Map<string, Ban[]>>();
  for (const ban of bans) {
    const ofAddress = groups.get(ban.address) ?? new Map<string, Ban[]>();
    groups.set(ban.address, ofAddress);
    const ofJail = ofAddress.get(ban.jail) ?? [];
    ofAddress.set(ban.jail, ofJail);
    ofJail.push(ban);
  }
  return groups;
}
