/**
 * Brings the bans bucket into the kernel, and keeps it there.
 *
 * Invariants:
 * - Only a bucket that is read as a whole, and that a coordinator has declared complete, replaces
 *   what the kernel holds: NATS may have lost its storage, and then what the kernel holds is better
 *   than nothing. Until then bans are added, and taken out one by one as the bucket says so.
 *   Kernel timeouts end bans by themselves.
 * - A new ban does not wait until the bucket is read: it is brought in ahead, and a replacement
 *   keeps it (see ahead-bans.ts).
 * - Long work runs in one queue. Changed bans have a queue of their own (see ban-changes.ts), so no
 *   ban waits for long work; only the restoring of saved bans comes before everything else.
 * - What the firewall refuses as a whole ends nothing: the bans in force stay in force, the refusal
 *   is shown, and the work is tried again until the firewall takes it.
 */
import { RepeatableWork } from "../../process/repeatable-work.ts";
import { inSlices } from "../../process/slices.ts";
import type { Pauses } from "../../process/retry.ts";
import type { Log } from "../../process/log.ts";
import type { AheadEntry, MirrorEvent } from "../../nats/bucket-mirror.ts";
import { isInForce } from "../../wire/ban.ts";
import type { Jail } from "../../wire/settings.ts";
import type { HostStatus } from "../../wire/status.ts";
import type { Address } from "../../wire/address.ts";
import { banKey } from "../../wire/subjects.ts";
import type { FleetSettings } from "../fleet-settings.ts";
import { AppliedRevision } from "./applied-revision.ts";
import { BanChanges } from "./ban-changes.ts";
import { createBanReview, RENEW_EVERY_MS, type BanReview } from "./ban-review.ts";
import { createBanFilter, type HostBan, type Verdict } from "./ban-filter.ts";
import type { Firewall } from "./firewall/firewall.ts";
import { createFirewallRepairs, type FirewallRepairs } from "./firewall-repairs.ts";
import { createFirewallRetry, PAUSES, type FirewallRetry } from "./firewall-retry.ts";
import { JailSets } from "./jail-sets.ts";
import { createKernelBans, type Comparison, type KernelBans } from "./kernel-bans.ts";
import { KnownBans, type BansMirror } from "./known-bans.ts";
import type { NeverBan } from "./never-ban.ts";
import { createServerClock, type ServerClock } from "./server-clock.ts";
import { createWorkQueue, type WorkQueue } from "./work-queue.ts";

export type KernelSyncState = Pick<
  HostStatus,
  "revision" | "bansCreated" | "appliedAt" | "bansInForce" | "repairs" | "refused"
>;

/** What keeps bans of this host from dropping packets. */
export interface FirewallTrouble {
  /** Why packets of banned addresses may get through, with remedies. */
  ineffective: readonly string[];
  /** Why the firewall refuses whole changes of its sets and rules; empty: it takes them. */
  refusals: readonly string[];
  /** Bans that the kernel, or this host for want of their jail, has refused, and why the last was. */
  kernelRejected: { count: number; reason: string } | undefined;
}

export interface KernelSync {
  /** As the last repair has found it. */
  trouble(): FirewallTrouble;
  /** The settings have changed: rules, allowlist, completeness. */
  settingsChanged(): void;
  /** Follows the bans bucket from here on. */
  follow(openMirror: OpenMirror): void;
  /** These were in force when this host was last told; where the kernel has none, they are again. */
  restore(last: readonly HostBan[]): Promise<void>;
  /** What is to be in force on this host; undefined while that is not known for certain. */
  held(): Iterable<HostBan> | undefined;
  /** Bans what this host has decided alone, beside the fleet's bans. */
  banLocally(ban: HostBan): void;
  /** Ends such a ban; the fleet's ban of the address, if there is one, stays. */
  endLocally(jail: string, address: Address): void;
  /** The fleet's ban as this host knows it, in whatever state. */
  fleetBan(jail: string, address: Address): HostBan | undefined;
  /** Counts what is in force, in the kernel. */
  recount(): Promise<void>;
  /** Resolves when everything that was to be done by now is done. */
  settled(): Promise<void>;
  state(): KernelSyncState;
  stop(): Promise<void>;
}

export type OpenMirror = (
  onEvent: (event: MirrorEvent<HostBan>) => void,
  onAhead: (entry: AheadEntry<HostBan>) => void,
) => BansMirror;

export interface KernelSyncOptions {
  firewall: Firewall;
  jails: readonly Jail[];
  /** Those of them whose rules and sets stand; the others are opened when the firewall takes them. */
  jailsOpen: readonly Jail[];
  host: string;
  settings: Pick<FleetSettings, "jails" | "allowed" | "isJailOf" | "readyFor" | "isKnown">;
  neverBan: Pick<NeverBan, "reason">;
  repairEveryMs: number;
  retryPauses?: Pauses | undefined;
  now: () => number;
  log: Log;
  /** Something was applied, and the kernel has said so. */
  onApplied: () => void;
  onFailed: (error: unknown) => void;
  /**
   * The fleet has a new state of a ban that this host has given alone. `isHere`: the ban is in
   * force in the fleet, and for this host.
   */
  onFleetBan?: (ban: HostBan, isHere: boolean) => void;
}

type Sync =
  /** Bans saved on disk are in force; the bucket has not been read yet. */
  | { phase: "restored" }
  /** The agent is reading the bucket's present entries. */
  | { phase: "loading"; bucketId: string }
  /** The entries are read. They are not proved to be all, not declared complete, or not swapped in. */
  | { phase: "adding"; bucketId: string; isWhole: boolean }
  /** The kernel holds exactly the bucket's bans. */
  | { phase: "in-sync"; bucketId: string };

type LongWork = "restore" | "open" | "replace" | "bring-all-in" | "repair" | "renew";
type Work = LongWork | "apply" | "count";

export function createKernelSync(options: KernelSyncOptions): KernelSync {
  const sync = new Synchronizer(options);
  return {
    trouble: () => sync.trouble(),
    settingsChanged: () => sync.settingsChanged(),
    follow: (openMirror) => sync.follow(openMirror),
    restore: (last) => sync.restore(last),
    held: () => sync.held(),
    banLocally: (ban) => sync.banLocally(ban),
    endLocally: (jail, address) => sync.endLocally(jail, address),
    fleetBan: (jail, address) => sync.fleetBan(jail, address),
    recount: () => sync.recount(),
    settled: () => sync.settled(),
    state: () => sync.state(),
    stop: () => sync.stop(),
  };
}

/** A ban that does not run out within this time is in the kernel when its bans are counted. */
const LASTING_MS = 60_000;

class Synchronizer {
  readonly #options: KernelSyncOptions;
  #sync: Sync = { phase: "restored" };
  readonly #clock: ServerClock;
  /** What becomes of a ban on this host, now. */
  readonly #judge: (ban: HostBan) => Verdict;
  readonly #known: KnownBans;
  readonly #kernel: KernelBans;
  readonly #jails: JailSets;
  readonly #applied: AppliedRevision;
  readonly #repairs: FirewallRepairs;
  readonly #retry: FirewallRetry<Work>;
  readonly #changes: BanChanges;
  readonly #review: BanReview;
  readonly #longWork: WorkQueue<LongWork>;
  /** Resolves when saved bans are restored, or could not be. */
  #restoring: Promise<unknown> = Promise.resolve();
  /** How often the settings have changed: a replacement may have judged by older ones. */
  #settingsChanges = 0;
  readonly #reconsidering: RepeatableWork;
  readonly #timers: readonly NodeJS.Timeout[];

  constructor(options: KernelSyncOptions) {
    const { firewall, now, log, onFailed, repairEveryMs } = options;
    this.#options = options;
    this.#clock = createServerClock(now);
    const filter = createBanFilter(options);
    this.#judge = (ban) => filter.judge(ban, this.#clock.nowFor(ban));
    this.#known = new KnownBans(this.#judge);
    this.#kernel = createKernelBans({ firewall, judge: this.#judge, log });
    this.#jails = new JailSets(firewall, options.jails, options.jailsOpen);
    this.#applied = new AppliedRevision(now);
    this.#repairs = createFirewallRepairs(firewall, log);
    this.#retry = createFirewallRetry<Work>({
      pauses: options.retryPauses ?? PAUSES,
      askAgain: (work) => this.#askAgain(work),
      onChanged: options.onApplied,
    });
    this.#changes = new BanChanges({
      known: this.#known,
      kernel: this.#kernel,
      isToBeOpened: (jail) => this.#jails.isToBeOpened(jail),
      attempt: (apply) => this.#retry.attempt("apply", () => this.#restoring.then(apply)),
      revisionRead: () => this.#known.revisionRead(),
      onAllApplied: (revision) => this.#noteApplied(revision),
      onFailed,
    });
    this.#review = createBanReview({
      known: this.#known,
      kernel: this.#kernel,
      changes: this.#changes,
      judge: this.#judge,
      now,
    });
    this.#longWork = createWorkQueue(this.#longWorks(), onFailed);
    this.#reconsidering = new RepeatableWork(() => this.#review.settingsChanged().catch(onFailed));
    if (!this.#jails.areAllOpen()) this.#longWork.ask("open");
    this.#timers = [
      setInterval(() => this.#longWork.ask("repair"), repairEveryMs),
      setInterval(() => this.#longWork.ask("renew"), RENEW_EVERY_MS),
    ];
  }

  /** The most urgent first. */
  #longWorks(): ReadonlyMap<LongWork, () => Promise<void>> {
    const patiently = (
      work: LongWork,
      doWork: () => Promise<void>,
    ): [LongWork, () => Promise<void>] => [work, () => this.#retry.attempt(work, doWork)];
    return new Map([
      patiently("restore", () => this.#restoreBeforeChanges()),
      patiently("open", async () => this.#review.jailsOpened(await this.#jails.open())),
      patiently("replace", () => this.#replaceAll()),
      ["bring-all-in", () => this.#changes.noteAll(this.#known.all())],
      ["repair", () => this.#repair()],
      ["renew", () => this.#review.renewLongTimeouts()],
    ]);
  }

  #askAgain(work: Work): void {
    if (work === "count") return; // The bans are counted for every status anyway.
    if (work === "apply") this.#changes.ask();
    else this.#longWork.ask(work);
  }

  follow(openMirror: OpenMirror): void {
    const mirror = openMirror(
      (event) => this.#onEvent(event),
      (entry) => this.#onAhead(entry),
    );
    this.#known.mirror(mirror);
  }

  #onEvent(event: MirrorEvent<HostBan>): void {
    switch (event.type) {
      case "loading":
        this.#applied.startReading(event.last, this.#isOfBucket(event.bucketId));
        this.#known.startReading(event.bucketId);
        this.#sync = { phase: "loading", bucketId: event.bucketId };
        return;
      case "put": {
        const isBroughtIn = this.#isBroughtInAhead(event.key, event.value);
        this.#known.noteRead(event.key);
        if (this.#sync.phase === "loading") return; // It may be an older state of the ban.
        this.#reportFleetBan(event.key, event.value);
        this.#clock.note(event.writtenAt);
        if (isBroughtIn) this.#changes.ask();
        else this.#changes.noteNews(event.key, event.value);
        return;
      }
      case "deleted":
        // Its last state was a final one, unless somebody has deleted it by hand.
        this.#known.noteRead(event.key);
        if (event.previous && this.#kernel.has(event.key)) {
          this.#changes.noteGone(event.key, event.previous);
        }
        return;
      case "rolled-back":
        this.#known.keepLost(event.key, event.previous);
        return;
      case "unreadable": {
        const { key, reason, previous } = event;
        this.#options.log.error({ key, reason }, "ban cannot be decoded");
        if (previous) this.#known.noteUnreadable(key, previous);
        return;
      }
      case "live":
        this.#known.noteAllRead();
        this.#sync = { phase: "adding", bucketId: event.bucketId, isWhole: event.isWhole };
        for (const key of this.#known.local.keys()) {
          this.#reportFleetBan(key, this.#known.ofBucket(key));
        }
        this.#replaceOrBringAllIn();
        return;
    }
  }

  #onAhead(entry: AheadEntry<HostBan>): void {
    this.#known.noteAhead(entry);
    this.#clock.note(entry.writtenAt);
    if (entry.value) this.#bringAheadIn([[entry.key, entry.value]]);
  }

  /**
   * Whether this state of the ban was delivered ahead, and the kernel has it by now. The mirror reads
   * many such bans one after the other, and a new ban must not wait until the kernel has them again.
   */
  #isBroughtInAhead(key: string, ban: HostBan): boolean {
    if (!this.#known.cameAhead(key)) return false;
    return this.#kernel.has(key) === (this.#judge(ban).type === "applies");
  }

  settingsChanged(): void {
    const jails = this.#options.settings.jails();
    if (jails.length > 0 && this.#jails.want(jails)) this.#longWork.ask("open");
    this.#settingsChanges += 1;
    switch (this.#sync.phase) {
      case "restored":
        this.#bringAheadIn(this.#known.ahead());
        break;
      case "loading":
        this.#bringAheadIn(this.#known.ahead());
        return; // Every other ban is judged when the bucket has been read.
      case "adding":
        if (this.#mayReplace()) this.#longWork.ask("replace");
        break;
      case "in-sync":
        break;
    }
    void this.#reconsidering.ask();
  }

  /** Whether the bucket is proved complete, and the kernel's bans are not replaced by it yet. */
  #mayReplace(): boolean {
    const sync = this.#sync;
    if (sync.phase !== "adding" || !sync.isWhole) return false;
    return this.#options.settings.readyFor() === sync.bucketId;
  }

  /** Everything that is known is brought into the kernel, and nothing else is left where that is sure. */
  #replaceOrBringAllIn(): void {
    if (this.#mayReplace()) this.#longWork.ask("replace");
    else this.#bringAllIn();
  }

  #bringAllIn(): void {
    this.#changes.announceAll();
    this.#longWork.ask("bring-all-in");
  }

  #bringAheadIn(bans: Iterable<[string, HostBan]>): void {
    for (const [key, ban] of bans) {
      // An entry of the allowlist may have come after the decider's ban, and is not known yet.
      if (ban.by !== "decider" || this.#options.settings.isKnown()) {
        this.#changes.noteNews(key, ban);
      }
    }
  }

  /** Reports the fleet's ban if this host has given one alone for the same key. */
  #reportFleetBan(key: string, ban: HostBan | undefined): void {
    if (!ban || !this.#known.local.has(key)) return;
    const { type } = this.#judge(ban);
    this.#options.onFleetBan?.(ban, type === "applies" || type === "skipped");
  }

  #isOfBucket(bucketId: string): boolean {
    return this.#sync.phase !== "restored" && this.#sync.bucketId === bucketId;
  }

  /** `revision`: what had been read when the bans were given to the kernel. */
  #noteApplied(revision: number | undefined): void {
    const { phase } = this.#sync;
    if (revision === undefined || phase === "restored" || phase === "loading") return;
    if (this.#mayReplace()) {
      this.#applied.noteBeside(revision);
      return;
    }
    this.#applied.note(revision);
    this.#options.onApplied();
  }

  async #replaceAll(): Promise<void> {
    if (!this.#mayReplace() || this.#sync.phase !== "adding") return;
    const before = this.#sync;
    const revision = this.#known.revisionRead();
    const changesBefore = this.#settingsChanges;
    // A run that begins anew meanwhile has proved nothing yet.
    const isStillRight = () => this.#sync === before && this.#mayReplace();
    this.#applied.startReplacing();
    try {
      const bans = this.#known.allOfCompleteBucket();
      if (!(await this.#kernel.replace(bans, isStillRight))) return;
    } catch (error) {
      // In smaller steps the kernel may take the bans, while those that are over stay in force.
      if (!this.#retry.isRefused("replace")) this.#bringAllIn();
      throw error;
    }
    this.#known.forgetKept();
    if (this.#sync === before) this.#sync = { phase: "in-sync", bucketId: before.bucketId };
    if (this.#settingsChanges !== changesBefore) void this.#reconsidering.ask();
    this.#logReplaced(revision);
    this.#noteApplied(revision === undefined ? undefined : this.#applied.withBeside(revision));
  }

  #logReplaced(revision: number | undefined): void {
    const { firewall, log } = this.#options;
    const facts = { bans: this.#kernel.count(), revision };
    const rejected = this.#kernel.rejected();
    if (firewall.kind === "dry-run") log.info(facts, "dry-run: all bans would be in force");
    else if (!rejected) log.info(facts, "all bans are in force");
    else log.error({ ...facts, rejected: rejected.count }, "the kernel has refused bans");
  }

  async #repair(): Promise<void> {
    const { bansLost, isNews } = await this.#repairs.repair((by) => this.#countMissing(by));
    if (bansLost) this.#bringAllBack();
    else this.#review.retryRejected();
    if (isNews) this.#options.onApplied();
  }

  /** Before the kernel holds exactly the bucket's bans, nobody knows what it must have. */
  #countMissing(by: Comparison): Promise<number> {
    if (this.#sync.phase !== "in-sync") return Promise.resolve(0);
    return this.#kernel.countMissing(by, () => this.#lastingBans());
  }

  /** The keys of the bans that the kernel was given and that do not run out soon. */
  async #lastingBans(): Promise<Set<string>> {
    const keys = new Set<string>();
    await inSlices(this.#known.all(), ([key, ban]) => {
      const isLasting = ban.until === null || ban.until - this.#clock.nowFor(ban) > LASTING_MS;
      if (isLasting && this.#kernel.has(key)) keys.add(key);
    });
    return keys;
  }

  #bringAllBack(): void {
    this.#kernel.forgetAll();
    if (this.#sync.phase === "in-sync") {
      this.#sync = { ...this.#sync, phase: "adding", isWhole: true };
    }
    this.#replaceOrBringAllIn();
  }

  restore(last: readonly HostBan[]): Promise<void> {
    this.#known.keepSaved(last);
    this.#longWork.ask("restore");
    return this.settled();
  }

  /** No change of a ban is applied meanwhile. */
  #restoreBeforeChanges(): Promise<void> {
    const work = this.#restoreSaved();
    this.#restoring = work.catch(() => {}); // The queue reports the failure.
    return work;
  }

  async #restoreSaved(): Promise<void> {
    const { firewall, log } = this.#options;
    if (this.#sync.phase !== "restored") return; // The bucket is followed, and brings these bans, too.
    const saved = this.#known.kept();
    const hasBans = (await firewall.count()) > 0;
    if (hasBans) this.#kernel.adopt(saved.keys());
    await this.#repair();
    if (hasBans) return; // A ban that was lifted since must not come back.
    await this.#kernel.apply(
      new Map([...saved].map(([key, ban]) => [key, { ban, isGone: false }])),
    );
    const inForce = this.#kernel.count();
    if (inForce > 0) log.info({ bans: inForce }, "restored saved bans after boot");
  }

  banLocally(ban: HostBan): void {
    const key = banKey(ban.jail, ban.address);
    this.#known.local.set(key, ban);
    this.#changes.noteNews(key, this.#known.ofFleet(key) ?? ban);
  }

  endLocally(jail: string, address: Address): void {
    const key = banKey(jail, address);
    const ban = this.#known.local.delete(key);
    const fleetBan = this.#known.ofFleet(key);
    if (fleetBan) this.#changes.noteNews(key, fleetBan);
    else if (ban) this.#changes.noteGone(key, ban);
  }

  fleetBan(jail: string, address: Address): HostBan | undefined {
    return this.#known.ofFleet(banKey(jail, address));
  }

  held(): Iterable<HostBan> | undefined {
    return this.#sync.phase === "in-sync" ? this.#fleetBansInKernel() : undefined;
  }

  *#fleetBansInKernel(): Iterable<HostBan> {
    const { now } = this.#options;
    for (const [key, ban] of this.#known.fleet()) {
      if (this.#kernel.has(key) && isInForce(ban, now())) yield ban;
    }
  }

  trouble(): FirewallTrouble {
    return {
      ineffective: this.#repairs.ineffective(),
      refusals: this.#retry.reasons(),
      kernelRejected: this.#kernel.rejected(),
    };
  }

  state(): KernelSyncState {
    return {
      revision: this.#applied.revision,
      appliedAt: this.#applied.appliedAt,
      bansCreated: this.#sync.phase === "restored" ? null : this.#sync.bucketId,
      bansInForce: this.#kernel.count(),
      repairs: this.#repairs.count(),
      refused: this.#kernel.skipped(),
    };
  }

  /** Beside the queue: it may take long, and bans do not wait for it. */
  recount(): Promise<void> {
    return this.#retry.attempt("count", this.#kernel.recount).catch(this.#options.onFailed);
  }

  /** Long work may ask for changes. */
  async settled(): Promise<void> {
    await this.#longWork.settled();
    await this.#changes.settled();
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#retry.stop();
    this.#known.stop();
    await Promise.all([this.#longWork.stop(), this.#changes.stop()]);
    await this.#options.firewall.close();
  }
}
