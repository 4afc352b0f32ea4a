/**
 * Brings back what NATS has lost of bans and of what operators have set, and what an intruder has
 * changed.
 *
 * The decider does not wait for that. A ban that it has written meanwhile stays, and is corrected
 * by what is known of the bans before it (see recalled-ban.ts).
 */
import type { Log } from "../../process/log.ts";
import { inSlices } from "../../process/slices.ts";
import { sideBySide } from "../../process/side-by-side.ts";
import type { Address } from "../../wire/address.ts";
import type { Ban } from "../../wire/ban.ts";
import { encodeAllowed, type Jail } from "../../wire/settings.ts";
import { allowKey } from "../../wire/subjects.ts";
import { isRemembered, type NewChange } from "../../policy/ban-memory.ts";
import { recallEarlier, type RecordedBans } from "../../policy/recalled-ban.ts";
import type { BanStore, Written } from "../buckets/ban-store.ts";
import type { Settings } from "../buckets/settings-store.ts";
import type { History } from "../history/history.ts";
import { restoreOlderSettings } from "../history/operator-settings.ts";

export interface RestoringOptions {
  bans: Pick<BanStore, "change" | "entries" | "revision" | "takeTampered">;
  settings: Pick<Settings, "allow" | "declareReady" | "restore" | "write">;
  history: Pick<
    History,
    "allowlist" | "operatorSettings" | "bansToRestore" | "bansOf" | "recordedRevision" | "stalled"
  >;
  policy: () => { jails: readonly Jail[]; keptSeconds: (jail: string) => number };
  newChange: NewChange;
  now: () => number;
  newId: () => string;
  log: Log;
}

export interface Restoring {
  /** Writes bans again that this coordinator knows and that the bucket has lost. */
  restoreTampered(): Promise<void>;
  /**
   * Writes again what the record has and the bucket `created` has not, and then declares the bucket
   * complete: agents remove bans only from then on. false: the record does not have yet what the
   * bucket had at first, and this is to be called again. `isRolledBack`: NATS has lost its last
   * writes, so what it has of the settings may be older than the record.
   */
  restoreRecorded(created: string, isRolledBack: boolean): Promise<boolean>;
}

const AT_ONCE = 64;
const ADDRESSES_AT_ONCE = 500;

export function createRestoring(options: RestoringOptions): Restoring {
  const { bans, settings, history, policy, newChange, now, newId, log } = options;
  /** Bans that the bucket had when its restoring began are on record up to this revision. */
  let awaited: { created: string; revision: number } | undefined;

  /** Corrects the ban of an entry by what `record` has of its address. */
  function correct(present: Ban, record: RecordedBans): Ban | undefined {
    const jail = policy().jails.find(({ name }) => name === present.jail);
    return jail && recallEarlier(present, record, jail, newChange(jail, present.address));
  }

  async function isRecorded(created: string): Promise<boolean> {
    if (awaited?.created !== created) awaited = { created, revision: bans.revision() };
    // PostgreSQL has no room, for example: what it has must do.
    if (history.stalled() !== undefined) return true;
    return (await history.recordedRevision()) >= awaited.revision;
  }

  /** Whatever the mirror has: it may not know yet that the bucket was made anew. */
  async function writeMissing(keptSeconds: number) {
    const onRecord = await history.bansToRestore(now(), keptSeconds);
    const { keptSeconds: keptOf } = policy();
    const recorded = onRecord.filter((ban) => isRemembered(ban, now(), keptOf(ban.jail)));
    let restored = 0;
    await sideBySide(recorded, AT_ONCE, async (ban) => {
      const written = await bans.change(ban.jail, ban.address, (present) =>
        present ? undefined : ban,
      );
      if (written) restored += 1;
    });
    return { recorded: recorded.length, restored };
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
        for (const { name } of policy().jails) {
          if (await correctEntry(name, address, record)) corrected += 1;
        }
      });
    }
    return corrected;
  }

  function correctEntry(
    jail: string,
    address: Address,
    record: RecordedBans,
  ): Promise<Written | undefined> {
    return bans.change(jail, address, (present) => present && correct(present, record));
  }

  /**
   * The record is some moments behind: an operator may have removed meanwhile what it still has. So
   * only what the bucket never had is written, unless the bucket itself is older than the record.
   */
  async function restoreSettings(isRolledBack: boolean): Promise<void> {
    const [allowed, operatorSettings] = [
      await history.allowlist(),
      await history.operatorSettings(),
    ];
    if (isRolledBack) {
      for (const entry of allowed) await settings.allow(entry);
      await restoreOlderSettings(operatorSettings, settings);
      return;
    }
    for (const entry of allowed) await settings.restore(allowKey(entry), encodeAllowed(entry));
    for (const { key, value } of operatorSettings) {
      await settings.restore(key, Buffer.from(value));
    }
  }

  return {
    async restoreTampered() {
      for (const ban of bans.takeTampered()) {
        const { jail, address, state } = ban;
        const written = await bans.change(jail, address, (present) =>
          present && present.changedAt >= ban.changedAt
            ? correct(present, new Map([[jail, [ban]]]))
            : { ...ban, change: newId() },
        );
        if (written) log.warn({ jail, address, state }, "restored a ban");
      }
    },

    async restoreRecorded(created, isRolledBack) {
      await restoreSettings(isRolledBack);
      if (!(await isRecorded(created))) return false;
      const { jails, keptSeconds } = policy();
      const longest = Math.max(...jails.map(({ name }) => keptSeconds(name)));
      const { recorded, restored } = await writeMissing(longest);
      const corrected = await correctAll(longest);
      awaited = undefined;
      await settings.declareReady(created);
      log.info({ restored, corrected, recorded }, "bans bucket is complete");
      return true;
    },
  };
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
