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
import { createBanCorrection, type BanCorrection } from "./correct-bans.ts";
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

export class Restoring {
  readonly #options: RestoringOptions;
  readonly #correction: BanCorrection;
  #progress: Progress | undefined;

  constructor(options: RestoringOptions) {
    this.#options = options;
    this.#correction = createBanCorrection(options);
  }

  /** Writes bans again that this coordinator knows and that the bucket has lost. */
  async restoreTampered(): Promise<void> {
    const { bans, newId, log } = this.#options;
    for (const ban of bans.takeTampered()) {
      const { jail, address, state } = ban;
      const written = await bans.change(jail, address, (present) =>
        present && present.changedAt >= ban.changedAt
          ? this.#correction.correct(present, new Map([[jail, [ban]]]))
          : { ...ban, change: newId() },
      );
      if (written) log.warn({ jail, address, state }, "restored a ban");
    }
  }

  /**
   * Writes again what the record has and the bucket `created` has not, and then declares the bucket
   * complete: agents remove bans only from then on. false: the record does not have yet what the
   * bucket has, and this is to be called again. `isRolledBack`: NATS has lost its last writes, so
   * what it has of the settings may be older than the record.
   */
  async restoreRecorded(created: string, isRolledBack: boolean): Promise<boolean> {
    const { bans, settings, policy, log } = this.#options;
    await restoreSettings(this.#options, isRolledBack);
    if (this.#progress?.created !== created) {
      this.#progress = { phase: "waiting", created, revision: bans.revision() };
    }
    const { jails, keptSeconds } = policy();
    const longest = Math.max(...jails.map(({ name }) => keptSeconds(name)));
    if (this.#progress.phase === "waiting") {
      if (!(await this.#isRecorded(this.#progress.revision))) return false;
      const counts = await this.#writeMissing(longest);
      const addresses = await this.#addressesSoFar();
      this.#progress = { phase: "correcting", created, addresses, counts };
    }
    const { addresses, counts } = this.#progress;
    const { corrected, late } = await this.#correction.correctAll(addresses, longest);
    counts.corrected += corrected;
    this.#progress = { ...this.#progress, addresses: [...late] };
    if (late.size > 0) return false;
    this.#progress = undefined;
    await settings.declareReady(created);
    log.info(counts, "bans bucket is complete");
    return true;
  }

  /** NATS has lost more: what was restored so far does not count. */
  startAgain(): void {
    this.#progress = undefined;
  }

  async #isRecorded(revision: number): Promise<boolean> {
    const { history } = this.#options;
    // PostgreSQL has no room, for example: what it has must do.
    if (history.stalled() !== undefined) return true;
    return (await history.recordedRevision()) >= revision;
  }

  /** Whatever the mirror has: it may not know yet that the bucket was made anew. */
  async #writeMissing(keptSeconds: number): Promise<Counts> {
    const { bans, history, policy, now } = this.#options;
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
  async #addressesSoFar(): Promise<Address[]> {
    const addresses = new Set<Address>();
    await inSlices(this.#options.bans.entries(), ({ ban }) => addresses.add(ban.address));
    return [...addresses];
  }
}
