/**
 * Brings changed bans into the kernel, in portions, and in a queue of their own: no ban waits for
 * long work. New bans are the first of a queue, see pending-changes.ts.
 */
import { inSlices } from "../../process/slices.ts";
import type { HostBan } from "./ban-filter.ts";
import type { BanChange, KernelBans } from "./kernel-bans.ts";
import type { KnownBans } from "./known-bans.ts";
import { createPendingChanges, type PendingChange, type Urgency } from "./pending-changes.ts";
import { createWorkQueue, type WorkQueue } from "./work-queue.ts";

export interface BanChangesOptions {
  known: Pick<KnownBans, "local">;
  kernel: Pick<KernelBans, "apply">;
  /** Bans of such a jail wait until the jail is opened: then all of its bans are noted again. */
  isToBeOpened: (jail: string) => boolean;
  /** Calls `apply` when its time has come; tries again what the firewall refuses. */
  attempt: (apply: () => Promise<void>) => Promise<void>;
  revisionRead: () => number | undefined;
  /** Nothing is pending: the kernel has everything that was read when `revision` was. */
  onAllApplied: (revision: number | undefined) => void;
  onFailed: (error: unknown) => void;
}

export class BanChanges {
  readonly #options: BanChangesOptions;
  readonly #pending = createPendingChanges();
  readonly #queue: WorkQueue<"apply">;
  /** All bans are to be noted as pending, and some of them are not yet. */
  #isNotingAll = false;

  constructor(options: BanChangesOptions) {
    this.#options = options;
    const apply = () => options.attempt(() => this.#applyPortion());
    this.#queue = createWorkQueue(new Map([["apply", apply]]), options.onFailed);
  }

  /** NATS, or this host itself, has a new state of a ban. */
  noteNews(key: string, ban: HostBan): void {
    this.note(key, ban, ban.state === "active" ? "new-ban" : "end-of-a-ban");
  }

  /** A ban of this host's own that lasts longer is brought in instead. */
  note(key: string, ban: HostBan, urgency: Urgency): void {
    const lasting = this.#options.known.local.outlasting(key, ban);
    this.#note(key, { ban: lasting ?? ban, isGone: false }, urgency);
  }

  /** Nobody has the ban any more, unless this host has given one alone. */
  noteGone(key: string, ban: HostBan): void {
    const lasting = this.#options.known.local.outlasting(key, undefined);
    this.#note(key, { ban: lasting ?? ban, isGone: !lasting }, "end-of-a-ban");
  }

  /** `noteAll` will be called: until then nothing is claimed about all bans. */
  announceAll(): void {
    this.#isNotingAll = true;
  }

  async noteAll(bans: Iterable<[string, HostBan]>): Promise<void> {
    await inSlices(bans, ([key, ban]) => {
      this.#pending.note(key, { ban, isGone: false }, "judged-again");
    });
    this.#isNotingAll = false;
    this.ask();
  }

  /** Tries a portion, also one that the firewall has refused. */
  ask(): void {
    this.#queue.ask("apply");
  }

  settled(): Promise<void> {
    return this.#queue.settled();
  }

  stop(): Promise<void> {
    return this.#queue.stop();
  }

  #note(key: string, change: BanChange, urgency: Urgency): void {
    this.#pending.note(key, change, urgency);
    this.ask();
  }

  async #applyPortion(): Promise<void> {
    const { kernel, isToBeOpened, revisionRead, onAllApplied } = this.#options;
    const revision = revisionRead();
    const portion = new Map<string, PendingChange>();
    let isAll = !this.#isNotingAll;
    for (const [key, change] of this.#pending.takePortion()) {
      if (!isToBeOpened(change.ban.jail)) portion.set(key, change);
      else isAll = false;
    }
    if (!this.#pending.isEmpty()) {
      isAll = false;
      this.ask();
    }
    try {
      await kernel.apply(portion);
    } catch (error) {
      this.#pending.putBack(portion);
      throw error;
    }
    if (isAll) onAllApplied(revision);
  }
}
