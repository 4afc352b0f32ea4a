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
 * - Long work runs in one queue. Changed bans have a queue of their own, and new bans are its first
 *   (see pending-changes.ts), so no ban waits for long work; only the restoring of saved bans comes
 *   before everything else.
 * - What the firewall refuses as a whole ends nothing: the bans in force stay in force, the refusal
 *   is shown, and the work is tried again until the firewall takes it.
 */
import { RepeatableWork } from "../../process/repeatable-work.ts";
import type { Pauses } from "../../process/retry.ts";
import { inSlices } from "../../process/slices.ts";
import type { Log } from "../../process/log.ts";
import type { AheadEntry, BucketMirror, MirrorEvent } from "../../nats/bucket-mirror.ts";
import { isInForce } from "../../wire/ban.ts";
import type { Jail } from "../../wire/settings.ts";
import type { HostStatus } from "../../wire/status.ts";
import type { Address } from "../../wire/address.ts";
import { banKey } from "../../wire/subjects.ts";
import { createAheadBans } from "./ahead-bans.ts";
import { BY_THIS_HOST, createBanFilter, type HostBan } from "./ban-filter.ts";
import { FirewallError } from "./firewall/command.ts";
import type { Firewall, Repair } from "./firewall/firewall.ts";
import type { FleetSettings } from "../fleet-settings.ts";
import { createFirewallRetry, PAUSES } from "./firewall-retry.ts";
import { createKernelBans } from "./kernel-bans.ts";
import { createLocalBans } from "./local-bans.ts";
import type { NeverBan } from "./never-ban.ts";
import { createPendingChanges, type PendingChange, type Urgency } from "./pending-changes.ts";
import { createWorkQueue } from "./work-queue.ts";

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
) => Pick<BucketMirror<HostBan>, "entries" | "state" | "revision" | "stop">;

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
type Work = LongWork | "apply";

/** The kernel cannot hold longer timeouts than 24 days: they are renewed long before. */
const RENEW_EVERY_MS = 86_400_000;
/** A smaller difference to the server's clock is the network's delay. */
const CLOCK_SLACK_MS = 1_000;
/** At most this many bans that the kernel has refused are tried again in one go. */
const TRIED_AGAIN = 1_000;

export function createKernelSync(options: KernelSyncOptions): KernelSync {
  const { firewall, settings, now, log, onApplied } = options;
  let sync: Sync = { phase: "restored" };
  let mirror: ReturnType<OpenMirror> | undefined;
  /** In force here although the bucket does not show them: saved on disk, or lost by NATS. */
  const kept = new Map<string, HostBan>();
  /** Bans whose entries somebody has made unreadable. A coordinator writes them again. */
  const unreadable = new Map<string, HostBan>();
  const ahead = createAheadBans();
  let clockAhead = 0;
  const serverNow = () => now() + clockAhead;
  const filter = createBanFilter(options);
  /** The end of a ban of this host's own is by this host's clock. */
  const clockOf = ({ by }: HostBan) => (by === BY_THIS_HOST ? now() : serverNow());
  const judge = (ban: HostBan) => filter.judge(ban, clockOf(ban));
  const local = createLocalBans(judge);
  const kernel = createKernelBans({ firewall, judge, log });
  /** To be brought into the kernel, or to be taken out. */
  const pending = createPendingChanges();
  /** All bans are to be noted as pending, and some of them are not yet. */
  let isBringingAllIn = false;
  /** The newest revision that the kernel has. */
  let applied = 0;
  /** When the kernel had it; null: it has none yet. */
  let appliedAt: number | null = null;
  /** The newest revision whose changes were brought in while all bans are about to be replaced. */
  let appliedBeside = 0;
  let restoring: Promise<unknown> = Promise.resolve();
  let repairs = 0;
  let ineffective: readonly string[] = [];
  let jailsWanted: readonly Jail[] = options.jails;
  /** Jails whose sets the kernel has. */
  let jailsOpen = new Set(options.jailsOpen.map(({ name }) => name));
  let settingsChanges = 0;

  const retry = createFirewallRetry<Work | "count">({
    pauses: options.retryPauses ?? PAUSES,
    // The bans are counted for every status anyway.
    askAgain(work) {
      if (work === "apply") changes.ask(work);
      else if (work !== "count") queue.ask(work);
    },
    onChanged: onApplied,
  });
  const patiently = <W extends Work>(
    work: W,
    doWork: () => Promise<void>,
  ): [W, () => Promise<void>] => [work, () => retry.attempt(work, doWork)];
  const changes = createWorkQueue(
    new Map([patiently("apply", () => restoring.then(applyChanges))]),
    options.onFailed,
  );
  const queue = createWorkQueue<LongWork>(
    new Map([
      patiently("restore", () => {
        const work = restoreSaved();
        restoring = work.catch(() => {}); // the queue hears of it
        return work;
      }),
      patiently("open", openJails),
      patiently("replace", replaceAll),
      ["bring-all-in", noteAll],
      ["repair", repair],
      ["renew", renew],
    ]),
    options.onFailed,
  );

  function* bansOfBucket(): Iterable<[string, HostBan]> {
    yield* ahead.over(mirror?.entries ?? new Map<string, never>());
    yield* unreadable;
  }

  function* fleetBans(): Iterable<[string, HostBan]> {
    yield* bansOfBucket();
    yield* kept;
  }

  const banOfBucket = (key: string): HostBan | undefined =>
    ahead.has(key) ? ahead.get(key) : mirror?.entries.get(key)?.value;

  const fleetBan = (key: string): HostBan | undefined =>
    banOfBucket(key) ?? unreadable.get(key) ?? kept.get(key);

  /** What this host has decided alone comes last, because the last ban of a key counts. */
  function* bans(): Iterable<[string, HostBan]> {
    yield* fleetBans();
    yield* local.standing(fleetBan);
  }

  /** The same without bans that only this host remembers of the fleet. */
  function* bansToReplaceWith(): Iterable<[string, HostBan]> {
    yield* bansOfBucket();
    yield* local.standing(banOfBucket);
  }

  function noteFleetBan(key: string, ban: HostBan | undefined): void {
    if (!ban || !local.has(key)) return;
    const { type } = judge(ban);
    options.onFleetBan?.(ban, type === "applies" || type === "skipped");
  }

  function forget(key: string): void {
    kept.delete(key);
    unreadable.delete(key);
    ahead.forgetRead(key, mirror?.revision() ?? 0);
  }

  function bringAheadIn(bans: Iterable<[string, HostBan]>): void {
    for (const [key, ban] of bans) {
      // An entry of the allowlist may have come after the decider's ban, and is not known yet.
      if (ban.by !== "decider" || settings.isKnown()) bringIn(key, ban);
    }
  }

  function change(key: string, ban: HostBan, urgency: Urgency): void {
    const lasting = local.outlasting(key, ban);
    pending.note(key, { ban: lasting ?? ban, isGone: false }, urgency);
    changes.ask("apply");
  }

  /** NATS, or this host itself, has a new state of a ban. */
  function bringIn(key: string, ban: HostBan): void {
    change(key, ban, ban.state === "active" ? "new-ban" : "end-of-a-ban");
  }

  function takeOut(key: string, ban: HostBan): void {
    const lasting = local.outlasting(key, undefined);
    const left = lasting ? { ban: lasting, isGone: false } : { ban, isGone: true };
    pending.note(key, left, "end-of-a-ban");
    changes.ask("apply");
  }

  function bringAllIn(): void {
    isBringingAllIn = true;
    queue.ask("bring-all-in");
  }

  async function noteAll(): Promise<void> {
    await inSlices(bans(), ([key, ban]) => {
      pending.note(key, { ban, isGone: false }, "judged-again");
    });
    isBringingAllIn = false;
    changes.ask("apply");
  }

  const isDeclaredComplete = ({ bucketId }: { bucketId: string }) =>
    settings.readyFor() === bucketId;

  /** Everything that is known is brought into the kernel, and nothing else is left where that is sure. */
  function replaceOrBringAllIn(): void {
    if (sync.phase !== "adding") return;
    if (sync.isWhole && isDeclaredComplete(sync)) queue.ask("replace");
    else bringAllIn();
  }

  function onEvent(event: MirrorEvent<HostBan>): void {
    switch (event.type) {
      case "loading":
        // A bucket whose end NATS has lost begins to count again from there.
        applied = isOfBucket(event.bucketId) ? Math.min(applied, event.last) : 0;
        ahead.forgetOtherBuckets(event.bucketId);
        sync = { phase: "loading", bucketId: event.bucketId };
        return;
      case "put":
        forget(event.key);
        if (sync.phase === "loading") return; // It may be an older state of the ban.
        noteFleetBan(event.key, event.value);
        noteClock(event.writtenAt);
        bringIn(event.key, event.value);
        return;
      case "deleted":
        // Its last state was a final one, unless somebody has deleted it by hand.
        forget(event.key);
        if (event.previous && kernel.has(event.key)) takeOut(event.key, event.previous);
        return;
      case "rolled-back":
        kept.set(event.key, event.previous);
        return;
      case "unreadable":
        log.error({ key: event.key, reason: event.reason }, "ban cannot be decoded");
        if (event.previous) unreadable.set(event.key, event.previous);
        return;
      case "live":
        ahead.forgetAllRead(mirror?.revision() ?? 0);
        sync = { phase: "adding", bucketId: event.bucketId, isWhole: event.isWhole };
        for (const key of local.keys()) noteFleetBan(key, banOfBucket(key));
        replaceOrBringAllIn();
        return;
    }
  }

  function onAhead(entry: AheadEntry<HostBan>): void {
    ahead.note(entry);
    noteClock(entry.writtenAt);
    if (entry.value) bringAheadIn([[entry.key, entry.value]]);
  }

  const isOfBucket = (bucketId: string) => sync.phase !== "restored" && sync.bucketId === bucketId;

  function noteClock(writtenAt: number | undefined): void {
    if (writtenAt === undefined) return;
    const ahead = writtenAt - now();
    clockAhead = Math.abs(ahead) > CLOCK_SLACK_MS ? ahead : 0;
  }

  async function applyChanges(): Promise<void> {
    const revision = revisionRead();
    const some = new Map<string, PendingChange>();
    let isAll = !isBringingAllIn;
    for (const [key, pendingChange] of pending.takePortion()) {
      // When a jail has been opened all of its bans are brought in.
      if (!isToBeOpened(pendingChange.ban.jail)) some.set(key, pendingChange);
      else isAll = false;
    }
    if (!pending.isEmpty()) {
      isAll = false;
      changes.ask("apply");
    }
    try {
      await kernel.apply(some);
    } catch (error) {
      pending.putBack(some);
      throw error;
    }
    if (isAll) noteApplied(revision);
  }

  const isToBeOpened = (jail: string) =>
    !jailsOpen.has(jail) && jailsWanted.some(({ name }) => name === jail);

  const revisionRead = () => (mirror?.state().phase === "live" ? mirror.revision() : undefined);

  /** `revision`: what had been read when the bans were given to the kernel. */
  function noteApplied(revision: number | undefined): void {
    if (revision === undefined || sync.phase === "restored" || sync.phase === "loading") return;
    if (sync.phase === "adding" && sync.isWhole && isDeclaredComplete(sync)) {
      appliedBeside = revision; // All bans are to be replaced.
      return;
    }
    if (applied !== revision) appliedAt = now();
    applied = revision;
    onApplied();
  }

  async function replaceAll(): Promise<void> {
    const before = sync;
    const revision = revisionRead();
    // A run that begins anew meanwhile has proved nothing yet.
    const isStillRight = () =>
      sync === before && sync.phase === "adding" && sync.isWhole && isDeclaredComplete(sync);
    if (before.phase !== "adding" || !isStillRight()) return;
    const changesBefore = settingsChanges;
    appliedBeside = 0;
    try {
      if (!(await kernel.replace(bansToReplaceWith(), isStillRight))) return;
    } catch (error) {
      // In smaller steps the kernel may take the bans, while those that are over stay in force.
      if (!retry.isRefused("replace")) bringAllIn();
      throw error;
    }
    kept.clear(); // a bucket that is proved complete does not have them
    if (sync === before) sync = { phase: "in-sync", bucketId: before.bucketId };
    if (settingsChanges !== changesBefore) void reconsidering.ask();
    sayReplaced(revision);
    noteApplied(revision && Math.max(revision, appliedBeside));
  }

  function sayReplaced(revision: number | undefined): void {
    const facts = { bans: kernel.count(), revision };
    const rejected = kernel.rejected();
    if (firewall.kind === "dry-run") log.info(facts, "dry-run: all bans would be in force");
    else if (!rejected) log.info(facts, "all bans are in force");
    else log.error({ ...facts, rejected: rejected.count }, "the kernel has refused bans");
  }

  async function openJails(): Promise<void> {
    const before = jailsOpen;
    const jails = jailsWanted;
    await firewall.open(jails);
    jailsOpen = new Set(jails.map(({ name }) => name));
    // Sets that the kernel had keep their bans; a jail's new set is empty.
    await inSlices(bans(), ([key, ban]) => {
      if (jailsOpen.has(ban.jail) && !before.has(ban.jail)) change(key, ban, "judged-again");
    });
  }

  async function repair(): Promise<void> {
    const { repaired, bansLost, ineffective: found } = await repairOrExplain();
    if (bansLost) bringAllBack();
    else retryRejected();
    const isOther = found.join() !== ineffective.join();
    ineffective = found;
    if (repaired.length > 0) {
      repairs += 1;
      log.warn({ repaired, bansLost }, "firewall was changed from outside, and is repaired");
    }
    if (isOther || repaired.length > 0) onApplied();
  }

  /** The kernel may have room for them by now. */
  function retryRejected(): void {
    const keys = new Set(kernel.rejectedKeys().slice(0, TRIED_AGAIN));
    if (keys.size === 0) return;
    for (const [key, ban] of bans()) if (keys.has(key)) change(key, ban, "judged-again");
  }

  function bringAllBack(): void {
    kernel.forgetAll();
    if (sync.phase === "in-sync") sync = { ...sync, phase: "adding", isWhole: true };
    if (sync.phase === "adding") replaceOrBringAllIn();
    else bringAllIn();
  }

  /** A firewall that cannot be read or repaired keeps the bans that it has: it is tried again. */
  async function repairOrExplain(): Promise<Repair> {
    try {
      return await firewall.repair();
    } catch (error) {
      if (!(error instanceof FirewallError)) throw error;
      const reason = `the firewall cannot be checked or repaired: ${error.message}`;
      return { repaired: [], bansLost: false, ineffective: [reason] };
    }
  }

  async function renew(): Promise<void> {
    await inSlices(bans(), ([key, ban]) => {
      if ((ban.until ?? 0) - now() > RENEW_EVERY_MS * 20) change(key, ban, "judged-again");
    });
  }

  async function restoreSaved(): Promise<void> {
    if (sync.phase !== "restored") return; // the bucket is followed, and brings these bans, too
    const hasBans = (await firewall.count()) > 0;
    if (hasBans) kernel.adopt(kept.keys());
    await repair();
    if (hasBans) return; // what was lifted since is not to come back
    await kernel.apply(new Map([...kept].map(([key, ban]) => [key, { ban, isGone: false }])));
    const inForce = kernel.count();
    if (inForce > 0) log.info({ bans: inForce }, "restored saved bans after boot");
  }

  /** What is allowed now, or no longer of a jail of this host, comes out; the rest goes in again. */
  const reconsidering = new RepeatableWork(() => reconsider().catch(options.onFailed));

  async function reconsider(): Promise<void> {
    await inSlices(bans(), ([key, ban]) => {
      if (kernel.wasRejected(key)) return;
      const applies = judge(ban).type === "applies";
      if (applies !== kernel.has(key)) change(key, ban, "judged-again");
    });
  }

  /** Long work may ask for changes. */
  const settled = () => queue.settled().then(() => changes.settled());

  if (options.jails.some(({ name }) => !jailsOpen.has(name))) queue.ask("open");
  const timers = [
    setInterval(() => queue.ask("repair"), options.repairEveryMs),
    setInterval(() => queue.ask("renew"), RENEW_EVERY_MS),
  ];

  function* heldBans(): Iterable<HostBan> {
    for (const [key, ban] of fleetBans()) if (kernel.has(key) && isInForce(ban, now())) yield ban;
  }

  return {
    restore(last) {
      for (const ban of last) kept.set(banKey(ban.jail, ban.address), ban);
      queue.ask("restore");
      return settled();
    },
    trouble: () => ({
      ineffective,
      refusals: retry.reasons(),
      kernelRejected: kernel.rejected(),
    }),
    held: () => (sync.phase === "in-sync" ? heldBans() : undefined),
    settled,

    settingsChanged() {
      const jails = settings.jails();
      if (jails.length > 0 && JSON.stringify(jails) !== JSON.stringify(jailsWanted)) {
        jailsWanted = jails;
        queue.ask("open");
      }
      settingsChanges += 1;
      if (sync.phase === "adding" && sync.isWhole && isDeclaredComplete(sync)) queue.ask("replace");
      if (sync.phase === "restored" || sync.phase === "loading") bringAheadIn(ahead.bans());
      // While the bucket is read nothing is decided: every ban is judged when it has been read.
      if (sync.phase !== "loading") void reconsidering.ask();
    },

    follow(openMirror) {
      mirror = openMirror(onEvent, onAhead);
    },

    banLocally(ban) {
      const key = banKey(ban.jail, ban.address);
      local.set(key, ban);
      bringIn(key, fleetBan(key) ?? ban);
    },
    endLocally(jail, address) {
      const key = banKey(jail, address);
      const ban = local.delete(key);
      const present = fleetBan(key);
      if (present) bringIn(key, present);
      else if (ban) takeOut(key, ban);
    },
    fleetBan: (jail, address) => fleetBan(banKey(jail, address)),

    // Beside the queue: it may take long, and bans do not wait for it.
    recount: () => retry.attempt("count", kernel.recount).then(() => undefined, options.onFailed),
    state: () => ({
      revision: applied,
      appliedAt,
      bansCreated: sync.phase === "restored" ? null : sync.bucketId,
      bansInForce: kernel.count(),
      repairs,
      refused: kernel.skipped(),
    }),

    async stop() {
      for (const timer of timers) clearInterval(timer);
      retry.stop();
      mirror?.stop();
      await Promise.all([queue.stop(), changes.stop()]);
      await firewall.close();
    },
  };
}
