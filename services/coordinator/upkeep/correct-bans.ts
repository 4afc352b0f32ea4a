/**
 * Corrects bans by what is on record of the bans before them (see recalled-ban.ts): a ban that was
 * decided before they were known may have the wrong offence number, length and end.
 *
 * The record follows the bucket. Where it does not have the last change of a ban yet, it may show as
 * in force what has been lifted since, so such a ban waits for the record.
 */
import { sideBySide } from "../../process/side-by-side.ts";
import type { Address } from "../../wire/address.ts";
import type { Ban } from "../../wire/ban.ts";
import type { Jail } from "../../wire/settings.ts";
import type { NewChange } from "../../policy/ban-memory.ts";
import { recallEarlier, type RecordedBans } from "../../policy/recalled-ban.ts";
import type { BanStore } from "../buckets/ban-store.ts";
import type { History } from "../history/history.ts";

export interface BanCorrectionOptions {
  bans: Pick<BanStore, "change">;
  history: Pick<History, "bansOf" | "recordedRevision" | "stalled">;
  policy: () => { jails: readonly Jail[] };
  newChange: NewChange;
  now: () => number;
}

export interface BanCorrection {
  /** Corrects the ban of an entry by what `record` has of its address; undefined: it is right. */
  correct(present: Ban, record: RecordedBans): Ban | undefined;
  /** Corrects the bans of these addresses. */
  correctAll(addresses: readonly Address[], keptSeconds: number): Promise<Corrected>;
}

export interface Corrected {
  /** How many bans were wrong. */
  corrected: number;
  /** Addresses with a ban whose last change is not on record yet. */
  late: Set<Address>;
}

const AT_ONCE = 64;
const ADDRESSES_AT_ONCE = 500;

export function createBanCorrection(options: BanCorrectionOptions): BanCorrection {
  const { bans, history, policy, newChange, now } = options;

  function correct(present: Ban, record: RecordedBans): Ban | undefined {
    const jail = policy().jails.find(({ name }) => name === present.jail);
    return jail && recallEarlier(present, record, jail, newChange(jail, present.address));
  }

  /** `record` has all changes up to the revision `reached`. */
  async function correctAddress(
    address: Address,
    { record, reached, into }: { record: RecordedBans; reached: number; into: Corrected },
  ): Promise<void> {
    for (const { name } of policy().jails) {
      const written = await bans.change(name, address, (present, revision) => {
        if (!present) return undefined;
        // A ban that was restored has a new revision, and is on record as it is.
        if (revision <= reached || hasChange(record, present)) return correct(present, record);
        into.late.add(address);
        return undefined;
      });
      if (written) into.corrected += 1;
    }
  }

  /** What the record is sure to have when it is read after this. */
  async function reachedRevision(): Promise<number> {
    // PostgreSQL has no room, for example: what it has must do.
    return history.stalled() === undefined ? history.recordedRevision() : Infinity;
  }

  async function correctAll(addresses: readonly Address[], keptSeconds: number) {
    const into: Corrected = { corrected: 0, late: new Set() };
    for (let from = 0; from < addresses.length; from += ADDRESSES_AT_ONCE) {
      const some = addresses.slice(from, from + ADDRESSES_AT_ONCE);
      const reached = await reachedRevision();
      const byAddress = groupByAddress(await history.bansOf(some, now(), keptSeconds));
      await sideBySide(byAddress, AT_ONCE, ([address, record]) =>
        correctAddress(address, { record, reached, into }),
      );
    }
    return into;
  }

  return { correct, correctAll };
}

const hasChange = (record: RecordedBans, { jail, change }: Ban): boolean =>
  record.get(jail)?.some((recorded) => recorded.change === change) ?? false;

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
