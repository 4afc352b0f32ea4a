/**
 * Decides on bans: a fold over the stream of failures, from two findtimes ago into the present. The
 * decider acknowledges nothing, so nothing can be lost: after a restart it folds again, and a ban
 * that it decides twice is written once (see ban-queue.ts).
 *
 * Every coordinator folds; the one with the lease writes. A ban that is due and is not in the bans
 * bucket yet is kept, so a coordinator that takes over writes what the last one did not.
 */
import type { Log } from "../../process/log.ts";
import type { Address } from "../../wire/address.ts";
import { countedUntil, type Ban } from "../../wire/ban.ts";
import type { Failure } from "../../wire/failure.ts";
import type { Jail } from "../../wire/settings.ts";
import type { Step, Written } from "../buckets/ban-store.ts";
import { byServersClock } from "./clock-correction.ts";
import { createBanQueue, type BanQueue, type DueBan } from "./ban-queue.ts";
import type { MissedOffences } from "./missed-offences.ts";
import type { BanGuard } from "./ban-guard.ts";
import type { JailPauses } from "../../policy/jail-pause.ts";
import type { Quarantines } from "../buckets/quarantines.ts";
import { createDuplicateFilter, type DuplicateFilter } from "./duplicate-filter.ts";
import { FailureCounts } from "./failure-counts.ts";
import { createFailureDecoder, type FailureDecoder } from "./failure-decoder.ts";
import type { FailureWatcher } from "./failure-watch.ts";
import { addressToCount, cover, openJailWindows, type JailWindows } from "./jail-windows.ts";
import type { SparedOffences } from "./spared-offences.ts";
import { createBanCounter, type BanCounter } from "./ban-counter.ts";
import { createWaitingOffences, type WaitingOffences } from "./waiting-offences.ts";
import { createNetworkCounter, type NetworkCounter } from "./network-counter.ts";
import { countsBans, type NewChange } from "../../policy/ban-memory.ts";
import { confirmingOffence } from "../../policy/quorum.ts";
import type { StoredMessage } from "../../nats/delivery.ts";

export interface DeciderOptions {
  jails: readonly Jail[];
  bans: {
    get(jail: string, address: Address): Ban | undefined;
    change(jail: string, address: Address, step: Step): Promise<Written | undefined>;
    entries(): Iterable<{ ban: Ban }>;
  };
  /** Addresses that no automatic ban may touch. */
  spared: Pick<SparedOffences, "spares" | "isSpared">;
  isLeader: () => boolean;
  now: () => number;
  newChange: NewChange;
  log: Log;
  guard: BanGuard;
  /** Has somebody logged in from the address since then? Asked for jails with knownGood alone. */
  hasLoggedIn: (address: Address, since: number) => boolean;
  /** Hosts whose failures do not count. */
  quarantines: Pick<Quarantines, "ignores">;
  /** Jails that ban nobody new. */
  pauses: Pick<JailPauses, "isPausedAt">;
  /** Offences that no ban answers, because they were over. */
  missed: Pick<MissedOffences, "note">;
  /** A message of failures cannot be decoded. */
  onUndecodable?: (subject: string, reason: string) => void;
  /** Sees the failures that count. */
  watcher?: FailureWatcher;
  /** Called with the number of attempts of one message that count. */
  onCounted?: (attempts: number, storedAt: number) => void;
  /** A ban was written; `storedAt` is the stream's time of the failure that brought it. */
  onBanned?: (written: Written, storedAt: number) => void;
}

type FailureMessage = Pick<StoredMessage, "subject" | "data" | "storedAt"> &
  Partial<Pick<StoredMessage, "sequence">>;

export interface Decider {
  /** Folds one message of the stream in. */
  take(message: FailureMessage): void;
  /** A ban was seen in the bucket. */
  observe(ban: Ban): void;
  /** What the host has reported no longer counts. */
  forgetHost(host: string): void;
  /** Writes what is due: the lease was taken, or a write has failed. */
  submitDue(): void;
  /** Lets go of what is too old to matter. */
  sweep(): void;
  readonly counters: DeciderCounters;
}

export interface DeciderCounters {
  readonly failures: Pick<FailureCounts, "total" | "entries">;
  readonly undecodable: number;
  /** Addresses with counted failures. */
  tracked(): number;
  /** Bans that are decided and not yet written. */
  due(): number;
}

/** Where and when a failure was seen. */
type Reported = Pick<DueBan, "host" | "storedAt" | "sentAt">;

export function createDecider(options: DeciderOptions): Decider {
  const decider = new FailureDecider(options);
  return {
    take: (message) => decider.take(message),
    observe: (ban) => decider.observe(ban),
    forgetHost: (host) => decider.forgetHost(host),
    submitDue: () => decider.submitDue(),
    sweep: () => decider.sweep(),
    counters: decider,
  };
}

class FailureDecider implements DeciderCounters {
  readonly #options: DeciderOptions;
  /** By name; jails that count bans are not among them. */
  readonly #jails: ReadonlyMap<string, JailWindows>;
  readonly #longestFindtimeMs: number;
  readonly #decoder: FailureDecoder;
  readonly #duplicates: DuplicateFilter;
  readonly #queue: BanQueue;
  /** Offences that no ban may answer for now. */
  readonly #waiting: WaitingOffences;
  readonly #banCounter: BanCounter;
  readonly #networkCounter: NetworkCounter;
  readonly failures = new FailureCounts();

  constructor(options: DeciderOptions) {
    const { jails, bans, spared, pauses, now, log } = options;
    this.#options = options;
    const failureJails = jails.filter((jail) => !countsBans(jail));
    this.#jails = new Map(failureJails.map((jail) => [jail.name, openJailWindows(jail, options)]));
    this.#longestFindtimeMs = Math.max(...failureJails.map(({ findtime }) => findtime)) * 1000;
    this.#decoder = createFailureDecoder({ now, onUndecodable: options.onUndecodable, log });
    this.#duplicates = createDuplicateFilter(now);
    this.#queue = createBanQueue({
      bans,
      isLeader: options.isLeader,
      now,
      newChange: options.newChange,
      log,
      judge: options.guard.judge,
      onBanned: options.onBanned,
      onMissed: options.missed.note,
    });
    this.#waiting = createWaitingOffences(
      (address, jail) => pauses.isPausedAt(jail, now()) || spared.isSpared(address, jail),
      now,
    );
    const decide = (task: DueBan) => this.#decide(task);
    this.#banCounter = createBanCounter({ jails, bans, decide });
    this.#networkCounter = createNetworkCounter({ jails, bans, decide });
    this.#banCounter.countAll();
    this.#networkCounter.countAll();
  }

  get undecodable(): number {
    return this.#decoder.undecodable;
  }

  tracked(): number {
    return [...this.#jails.values()].reduce((sum, { windows }) => sum + windows.size, 0);
  }

  due(): number {
    return this.#queue.size;
  }

  take(message: FailureMessage): void {
    const { quarantines, pauses } = this.#options;
    const batch = this.#decoder.decode(message);
    const counting = batch && this.#jails.get(batch.jail);
    if (!counting) return;
    const { storedAt, sequence = 0 } = message;
    if (quarantines.ignores(batch.host, storedAt)) return;
    if (pauses.isPausedAt(batch.jail, storedAt)) return;
    if (counting.isOfHost?.(batch.host) === false) return;
    const reported = { host: batch.host, storedAt, sentAt: batch.sentAt };
    const watcher = this.#options.watcher?.isWatching() ? this.#options.watcher : undefined;
    let attempts = 0;
    for (const failure of this.#duplicates.take(byServersClock(batch, storedAt))) {
      attempts += failure.attempts;
      watcher?.note({ jail: batch.jail, host: batch.host, failure, sequence });
      this.#count(failure, counting, reported);
    }
    if (attempts === 0) return;
    this.failures.add({ jail: batch.jail, host: batch.host, attempts });
    this.#options.onCounted?.(attempts, storedAt);
  }

  #count(failure: Failure, counting: JailWindows, reported: Reported): void {
    const { jail, windows, isSingle, isConfirming } = counting;
    const address = isSingle ? failure.address : addressToCount(jail, failure, this.#options);
    if (address === undefined) return;
    if (isConfirming) this.#confirm(jail, address, { failure, reported });
    for (const offence of windows.add(address, reported.host, failure)) {
      this.#decide({ jail, offence, ...reported });
    }
  }

  /** Widens a ban that is in force on other hosts alone, if the failure confirms it. */
  #confirm(
    jail: Jail,
    address: Address,
    { failure, reported }: { failure: Failure; reported: Reported },
  ): void {
    const present = this.#options.bans.get(jail.name, address);
    const offence = confirmingOffence(present, reported.host, failure);
    if (offence) this.#decide({ jail, offence, ...reported });
  }

  #decide(task: DueBan): void {
    const { pauses, spared } = this.#options;
    // A jail may count bans: of other jails, or its own of before the pause.
    if (pauses.isPausedAt(task.jail.name, task.storedAt)) return;
    if (spared.spares(task.offence.address, task.jail.name)) this.#waiting.add(task);
    else this.#queue.add(task);
  }

  observe(ban: Ban): void {
    this.#options.guard.observe(ban);
    const until = countedUntil(ban);
    const counting = this.#jails.get(ban.jail);
    if (counting) cover(counting, ban, until);
    this.#queue.covered(ban.jail, ban.address, until);
    this.#banCounter.observe(ban);
    this.#networkCounter.observe(ban);
  }

  forgetHost(host: string): void {
    for (const { windows } of this.#jails.values()) windows.forgetHost(host);
  }

  submitDue(): void {
    for (const task of this.#waiting.takeFree()) this.#queue.add(task);
    this.#queue.submit();
  }

  sweep(): void {
    const { now } = this.#options;
    for (const { windows } of this.#jails.values()) windows.sweep(now());
    this.#networkCounter.sweep(now());
    this.#duplicates.sweep(now() - 4 * this.#longestFindtimeMs);
  }
}
