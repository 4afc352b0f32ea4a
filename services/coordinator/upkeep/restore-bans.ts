/**
 * Brings back what NATS has lost of bans and of what operators have set, and what an intruder has
 * changed.
 *
 * The decider does not wait for that. A ban that it has written meanwhile stays, and is corrected
 * by what is known of the bans before it (see recalled-ban.ts).
 */
import type { Log } from "../../process/log.ts";
import { sideBySide } from "../../process/side-by-side.ts";
import { inSlices } from "../../process/slices.ts";
import type { Address } from "../../wire/address.ts";
import type { Jail } from "../../wire/settings.ts";
import { isRemembered, type NewChange } from "../../policy/ban-memory.ts";
import type { BanStore } from "../buckets/ban-store.ts";
import type { Settings } from "../buckets/settings-store.ts";
import type { History } from "../history/history.ts";
import { createBanCorrection } from "./correct-bans.ts";
import { restoreSettings } from "./restore-settings.ts";

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
   * bucket has, and this is to be called again. `isRolledBack`: NATS has lost its last writes, so
   * what it has of the settings may be older than the record.
   */
  restoreRecorded(created: string, isRolledBack: boolean): Promise<boolean>;
  /** NATS has lost more: what was restored so far does not count. */
  startAgain(): void;
}

/** How far the restoring of a bucket has come. */
type Progress =
  /** Bans that the bucket had when its restoring began are on record up to this revision. */
  | { phase: "waiting"; created: string; revision: number }
  /** Missing bans are written; bans of `addresses` may have been decided before that. */
  | { phase: "correcting"; created: string; addresses: readonly Address[]; counts: Counts };

interface Counts {
  recorded: number;
  restored: number;
  corrected: number;
}

const AT_ONCE = 64;

export function createRestoring(options: RestoringOptions): Restoring {
  const { bans, settings, history, policy, now, newId, log } = options;
  const correcting = createBanCorrection(options);
  let progress: Progress | undefined;

  function begin(created: string): Progress {
    return { phase: "waiting", created, revision: bans.revision() };
  }

  async function isRecorded(revision: number): Promise<boolean> {
    // PostgreSQL has no room, for example: what it has must do.
    if (history.stalled() !== undefined) return true;
    return (await history.recordedRevision()) >= revision;
  }

  /** Whatever the mirror has: it may not know yet that the bucket was made anew. */
  async function writeMissing(keptSeconds: number): Promise<Counts> {
    const { keptSeconds: keptOf } = policy();
    const counts = { recorded: 0, restored: 0, corrected: 0 };
    for await (const onRecord of history.bansToRestore(now(), keptSeconds)) {
      const recorded = onRecord.filter((ban) => isRemembered(ban, now(), keptOf(ban.jail)));
      counts.recorded += recorded.length;
      await sideBySide(recorded, AT_ONCE, async (ban) => {
        const written = await bans.change(ban.jail, ban.address, (present) =>
          present ? undefined : ban,
        );
        if (written) counts.restored += 1;
      });
    }
    return counts;
  }

  /** What is decided from now on knows the bans that were missing. */
  async function addressesSoFar(): Promise<Address[]> {
    const addresses = new Set<Address>();
    await inSlices(bans.entries(), ({ ban }) => addresses.add(ban.address));
    return [...addresses];
  }

  return {
    async restoreTampered() {
      for (const ban of bans.takeTampered()) {
        const { jail, address, state } = ban;
        const written = await bans.change(jail, address, (present) =>
          present && present.changedAt >= ban.changedAt
            ? correcting.correct(present, new Map([[jail, [ban]]]))
            : { ...ban, change: newId() },
        );
        if (written) log.warn({ jail, address, state }, "restored a ban");
      }
    },

    async restoreRecorded(created, isRolledBack) {
      await restoreSettings(options, isRolledBack);
      if (progress?.created !== created) progress = begin(created);
      const { jails, keptSeconds } = policy();
      const longest = Math.max(...jails.map(({ name }) => keptSeconds(name)));
      if (progress.phase === "waiting") {
        if (!(await isRecorded(progress.revision))) return false;
        const counts = await writeMissing(longest);
        progress = { phase: "correcting", created, addresses: await addressesSoFar(), counts };
      }
      const { counts } = progress;
      const { corrected, late } = await correcting.correctAll(progress.addresses, longest);
      counts.corrected += corrected;
      progress = { ...progress, addresses: [...late] };
      if (late.size > 0) return false;
      progress = undefined;
      await settings.declareReady(created);
      log.info(counts, "bans bucket is complete");
      return true;
    },

    startAgain() {
      progress = undefined;
    },
  };
}
