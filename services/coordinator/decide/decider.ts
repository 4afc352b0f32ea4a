/**
 * Decides on bans: a fold over the stream of failures, from the longest findtime
 * ago into the present. Nothing is acknowledged, so nothing can be lost: who starts
 * again folds again, and what is decided twice is written once (see policy.ts).
 *
 * Every coordinator folds; the one with the lease writes. What is due and not yet
 * to be seen in the bans bucket is kept, so a coordinator that takes over writes
 * what the last one did not.
 */
import type { Log } from "../../process/log.ts";
import { createRateLimit } from "../../process/rate-limit.ts";
import type { Address } from "../../wire/address.ts";
import { countedUntil, type Ban } from "../../wire/ban.ts";
import { WireError } from "../../wire/codec.ts";
import { decodeFailureBatch, type Failure, type FailureBatch } from "../../wire/failure.ts";
import { createHostGroup } from "../../wire/host-pattern.ts";
import type { Jail } from "../../wire/settings.ts";
import type { Step, Written } from "../buckets/ban-store.ts";
import { byServersClock } from "./clock-correction.ts";
import { createBanQueue, type DueBan } from "./ban-queue.ts";
import type { MissedOffences } from "./missed-offences.ts";
import type { BanGuard } from "./ban-guard.ts";
import type { JailPauses } from "../../policy/jail-pause.ts";
import type { Quarantines } from "../buckets/quarantines.ts";
import { createDuplicateFilter } from "./duplicate-filter.ts";
import { FailureCounts } from "./failure-counts.ts";
import type { FailureWatcher } from "./failure-watch.ts";
import type { SparedOffences } from "./spared-offences.ts";
import { createBanCounter } from "./ban-counter.ts";
import { createWaitingOffences } from "./waiting-offences.ts";
import { createNetworkCounter } from "./network-counter.ts";
import { countsBans, type NewChange } from "../../policy/ban-memory.ts";
import { countedAs, countsSingly } from "../../policy/counted-network.ts";
import { bansLocallyFirst, confirmingOffence } from "../../policy/quorum.ts";
import { createWindows, type Windows } from "../../policy/sliding-window.ts";
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
  /** Sees the failures that count. */
  watcher?: FailureWatcher;
  /** So many attempts of one message count. */
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

interface JailWindows {
  jail: Jail;
  windows: Windows;
  /** Every address counts for itself. */
  isSingle: boolean;
  /** Does the jail count failures of the host? undefined: of every host. */
  isOfHost: ((host: string) => boolean) | undefined;
  /** May a failure confirm a ban that is in force on other hosts alone? */
  isConfirming: boolean;
}

const COMPLAIN_EVERY_MS = 60_000;

export function createDecider(options: DeciderOptions): Decider {
  const { bans, spared, guard, quarantines, pauses, isLeader, now, newChange, log } = options;
  const failureJails = options.jails.filter((jail) => !countsBans(jail));
  const jails = new Map<string, JailWindows>(
    failureJails.map((jail) => {
      const { name, findtime } = jail;
      const alreadyCounted = (address: Address) => {
        const present = bans.get(name, address);
        return present ? countedUntil(present) : -Infinity;
      };
      const windows = createWindows({
        ...{ ...jail, findtime: findtime * 1000, countedUntil: alreadyCounted },
        hasLoggedIn: options.hasLoggedIn,
      });
      const isOfHost = jail.hosts && createHostGroup(jail.hosts);
      const isConfirming = bansLocallyFirst(jail);
      return [name, { jail, windows, isSingle: countsSingly(jail), isOfHost, isConfirming }];
    }),
  );
  const longestFindtimeMs = Math.max(...failureJails.map(({ findtime }) => findtime)) * 1000;
  const duplicates = createDuplicateFilter(now);
  const queue = createBanQueue({
    ...{ bans, isLeader, now, newChange, log, onBanned: options.onBanned },
    onMissed: options.missed.note,
    judge: guard.judge,
  });
  const waiting = createWaitingOffences(
    (address, jail) => pauses.isPausedAt(jail, now()) || spared.isSpared(address, jail),
    now,
  );
  const mayComplain = createRateLimit(COMPLAIN_EVERY_MS, now);
  const failures = new FailureCounts();
  let undecodable = 0;

  function decodeOrComplain(
    message: Pick<StoredMessage, "subject" | "data">,
  ): FailureBatch | undefined {
    try {
      return decodeFailureBatch(message.data, message.subject);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      undecodable += 1;
      // Credentials let a host name any jail, but no other host.
      const sender = message.subject.split(".").at(-1) ?? "";
      if (mayComplain(sender)) {
        log.warn({ subject: message.subject, reason: error.message }, "failures cannot be decoded");
      }
      return undefined;
    }
  }

  function take(message: FailureMessage): void {
    const batch = decodeOrComplain(message);
    const counted = batch && jails.get(batch.jail);
    if (!counted) return;
    const { storedAt } = message;
    const { sentAt } = batch;
    if (quarantines.ignores(batch.host, storedAt)) return;
    if (pauses.isPausedAt(batch.jail, storedAt)) return;
    const { jail, windows, isSingle, isConfirming } = counted;
    if (counted.isOfHost?.(batch.host) === false) return;
    const watcher = options.watcher?.isWatching() ? options.watcher : undefined;
    const { sequence = 0 } = message;
    let attempts = 0;
    for (const failure of duplicates.take(byServersClock(batch, storedAt))) {
      attempts += failure.attempts;
      watcher?.note({ jail: jail.name, host: batch.host, failure, sequence });
      const address = isSingle ? failure.address : addressToCount(jail, failure);
      if (address === undefined) continue;
      if (isConfirming) confirm(jail, address, { host: batch.host, failure, storedAt, sentAt });
      for (const offence of windows.add(address, batch.host, failure)) {
        decide({ jail, offence, host: batch.host, storedAt, sentAt });
      }
    }
    if (attempts === 0) return;
    failures.add({ jail: jail.name, host: batch.host, attempts });
    options.onCounted?.(attempts, storedAt);
  }

  /** Widens a ban that is in force on other hosts alone, if the failure confirms it. */
  function confirm(
    jail: Jail,
    address: Address,
    { failure, ...reported }: { failure: Failure } & Pick<DueBan, "host" | "storedAt" | "sentAt">,
  ): void {
    const offence = confirmingOffence(bans.get(jail.name, address), reported.host, failure);
    if (offence) decide({ jail, offence, ...reported });
  }

  /**
   * What the failure counts for: its network, or its address where that network holds an allowed
   * one or a machine of the fleet, and so is never banned. undefined: a ban of the address itself has covered it, or the
   * failure lies in the immunity of the address.
   */
  function addressToCount(jail: Jail, { address, at }: Failure): Address | undefined {
    const network = countedAs(address, jail);
    if (network === address || spared.isSpared(network, jail.name)) return address;
    const present = bans.get(jail.name, address);
    return present && countedUntil(present) >= at ? undefined : network;
  }

  /** A ban or an immunity of a single address also covers what the address did for its network. */
  function spend({ jail, windows }: JailWindows, { address }: Ban, until: number): void {
    windows.spend(address, until);
    const network = countedAs(address, jail);
    if (network !== address) windows.spendOf(network, address, until);
  }

  function decide(task: DueBan): void {
    // A jail may count bans: of other jails, or its own of before the pause.
    if (pauses.isPausedAt(task.jail.name, task.storedAt)) return;
    if (spared.spares(task.offence.address, task.jail.name)) waiting.add(task);
    else queue.add(task);
  }

  const banCounter = createBanCounter({ jails: options.jails, bans, decide });
  const networkCounter = createNetworkCounter({ jails: options.jails, bans, decide });
  banCounter.countAll();
  networkCounter.countAll();

  return {
    take,
    forgetHost(host) {
      for (const { windows } of jails.values()) windows.forgetHost(host);
    },
    observe(ban) {
      guard.observe(ban);
      const until = countedUntil(ban);
      const counted = jails.get(ban.jail);
      if (counted) spend(counted, ban, until);
      queue.covered(ban.jail, ban.address, until);
      banCounter.observe(ban);
      networkCounter.observe(ban);
    },
    submitDue() {
      for (const task of waiting.takeFree()) queue.add(task);
      queue.submit();
    },
    sweep() {
      for (const { windows } of jails.values()) windows.sweep(now());
      networkCounter.sweep(now());
      duplicates.sweep(now() - 4 * longestFindtimeMs);
    },
    counters: {
      failures,
      get undecodable() {
        return undecodable;
      },
      tracked: () => [...jails.values()].reduce((sum, { windows }) => sum + windows.size, 0),
      due: () => queue.size,
    },
  };
}
