/**
 * Brings the bans bucket into the kernel, and keeps it there.
 *
 * All work runs in one queue, in order: first the jails' rules; at every (re)connect all bans at
 * once, swapped in; then changes in batches, as they come. Only a bucket that is declared
 * complete takes bans away: NATS may have lost its storage, and then what the kernel holds is
 * better than nothing. Kernel timeouts end bans by themselves.
 */
import type { NatsConnection } from "@nats-io/nats-core";
import { followBucket, type BucketEntry } from "../nats/follow-bucket.ts";
import type { Log } from "../daemon/log.ts";
import type { Address } from "../wire/address.ts";
import { decodeBan, isInForce } from "../wire/ban.ts";
import { WireError } from "../wire/codec.ts";
import type { Jail } from "../wire/settings.ts";
import type { HostStatus } from "../wire/status.ts";
import { banKey, BANS_BUCKET } from "../wire/subjects.ts";
import { createBanFilter, type HostBan } from "./ban-filter.ts";
import { FirewallError } from "./firewall/command.ts";
import type { Firewall, Refused, Repair, TimedBan } from "./firewall/firewall.ts";
import type { FleetSettings } from "./fleet-settings.ts";
import type { NeverBan } from "./never-ban.ts";
import { createRefusals } from "./refusals.ts";

export type EnforcerState = Pick<
  HostStatus,
  "revision" | "bansCreated" | "bansInForce" | "repairs" | "refused"
>;

/** What keeps bans of this host from dropping packets. */
export interface FirewallTrouble {
  /** Why packets of banned addresses may get through, with remedies. */
  ineffective: readonly string[];
  /** Bans that the kernel, or this host for want of their jail, has refused, and why the last was. */
  kernelRejected: { count: number; reason: string } | undefined;
}

export interface Enforcer {
  /** As the last repair has found it. */
  trouble(): FirewallTrouble;
  /** The settings have changed: rules, allowlist, completeness. */
  settingsChanged(): void;
  /** Follows the bans bucket from here on. */
  follow(connection: NatsConnection): void;
  /** These were in force when this host was last told; where the kernel has none, they are again. */
  restore(last: readonly HostBan[]): Promise<void>;
  /** What is to be in force on this host; undefined while that is not known for certain. */
  held(): Iterable<HostBan> | undefined;
  /** Counts what is in force, in the kernel. */
  recount(): Promise<void>;
  /** Resolves when everything that was to be done by now is done. */
  settled(): Promise<void>;
  state(): EnforcerState;
  stop(): Promise<void>;
}

export interface EnforcerOptions {
  firewall: Firewall;
  jails: readonly Jail[];
  settings: () => FleetSettings | undefined;
  neverBan: NeverBan;
  repairEveryMs: number;
  now: () => number;
  log: Log;
  /** Something was applied, and the kernel has said so. */
  onApplied: () => void;
  onFailed: (error: unknown) => void;
}

/** The kernel cannot hold longer timeouts than 24 days: they are renewed long before. */
const RENEW_EVERY_MS = 86_400_000;
/** A smaller difference to the server's clock is the network's delay. */
const CLOCK_SLACK_MS = 1_000;

export function createEnforcer(options: EnforcerOptions): Enforcer {
  const { firewall, settings, neverBan, now, log, onApplied, onFailed } = options;
  const bans = new Map<string, HostBan>();
  const refused = createRefusals(log);
  const filter = createBanFilter({ settings, neverBan, refused });
  const timed = (ban: HostBan | undefined) => filter.timed(ban, now() + clockAhead);
  let created: string | null = null;
  /** The newest revision that was read, and the newest that is in the kernel. */
  let read = 0;
  let applied = 0;
  /** Keys of the bans that were given to the kernel and not taken away since. */
  let held = new Set<string>();
  let inForce = 0;
  let repairs = 0;
  let ineffective: readonly string[] = [];
  /** The kernel's reasons, by key of the ban that it has refused. */
  const kernelRejected = new Map<string, string>();
  let caughtUp = false;
  /** Every entry of the bucket was read, as their number proves. */
  let isWhole = false;
  /** What the bucket must have been declared to be, for the kernel to have been replaced by it. */
  let replacedFor: string | null = null;
  let jailsOpen = JSON.stringify(options.jails);
  let clockAhead = 0;
  let changed = new Set<string>();
  let unseen = new Set<string>();
  let following: { stop(): void } | undefined;
  let stopped = false;

  let queue: Promise<void> = Promise.resolve();
  let scheduled = false;
  const enqueue = (work: () => Promise<void>) => {
    queue = queue.then(async () => {
      if (!stopped) await work();
    });
    queue = queue.catch(onFailed);
    return queue;
  };

  async function replaceAll(): Promise<void> {
    const wanted: TimedBan[] = [];
    held = new Set();
    for (const [key, ban] of bans) {
      const each = timed(ban);
      if (!each) continue;
      wanted.push(each);
      held.add(key);
    }
    const rejected = await firewall.replace(wanted);
    kernelRejected.clear();
    inForce = held.size;
    for (const each of rejected) reject(each);
  }

  /** What the kernel refuses is not in force, and not to be kept for the next boot. */
  function reject({ jail, address, reason }: Refused): void {
    const key = banKey(jail, address);
    if (held.delete(key)) inForce -= 1;
    kernelRejected.set(key, reason);
    refused.note(address, reason);
  }

  /** Everything that has changed since the last time. */
  async function applyChanges(): Promise<void> {
    const target = read;
    const keys = changed;
    changed = new Set();
    const isComplete = isWhole && created !== null && settings()?.readyFor() === created;
    if (caughtUp && isComplete && replacedFor !== created) {
      await replaceAll();
      replacedFor = created;
      const facts = { bans: inForce, revision: target };
      if (firewall.kind === "dry-run") log.info(facts, "dry-run: all bans would be in force");
      else if (kernelRejected.size === 0) log.info(facts, "all bans are in force");
      else log.error({ ...facts, rejected: kernelRejected.size }, "the kernel has refused bans");
    } else await applyKeys(keys);
    if (!caughtUp || created === null) return;
    applied = target;
    onApplied();
  }

  async function applyKeys(keys: ReadonlySet<string>): Promise<void> {
    const adding: TimedBan[] = [];
    const removing: { jail: string; address: Address }[] = [];
    for (const key of keys) {
      const ban = bans.get(key);
      const wanted = timed(ban);
      kernelRejected.delete(key);
      if (wanted) {
        adding.push(wanted);
        if (!held.has(key)) inForce += 1;
        held.add(key);
      } else if (ban) {
        removing.push(ban);
        if (held.delete(key)) inForce -= 1;
      }
    }
    if (removing.length > 0) await firewall.unban(removing);
    if (adding.length > 0) {
      for (const each of await firewall.ban(adding)) reject(each);
    }
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    void enqueue(async () => {
      scheduled = false;
      await applyChanges();
    });
  }

  function learn(entry: BucketEntry): void {
    read = Math.max(read, entry.revision);
    unseen.delete(entry.key);
    if (caughtUp) {
      const ahead = entry.writtenAt - now();
      clockAhead = Math.abs(ahead) > CLOCK_SLACK_MS ? ahead : 0;
    }
    if (entry.value === undefined) {
      forget(entry.key);
      return;
    }
    try {
      bans.set(entry.key, decodeBan(entry.value, entry.key));
      changed.add(entry.key);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      log.error({ key: entry.key, reason: error.message }, "ban cannot be decoded");
    }
  }

  /** A purged entry was in a final state before; one that was deleted by hand may not have been. */
  function forget(key: string): void {
    const ban = bans.get(key);
    bans.delete(key);
    kernelRejected.delete(key);
    if (!ban || !held.delete(key)) return;
    inForce -= 1;
    if (isInForce(ban, now())) void enqueue(() => firewall.unban([ban]));
  }

  async function repair(): Promise<void> {
    const { repaired, bansLost, ineffective: found } = await repairOrExplain();
    if (bansLost) await replaceAll();
    const isOther = found.join() !== ineffective.join();
    ineffective = found;
    if (repaired.length > 0) {
      repairs += 1;
      log.warn({ repaired, bansLost }, "firewall was changed from outside, and is repaired");
    }
    if (isOther || repaired.length > 0) onApplied();
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
    const keys = [...bans].filter(([, ban]) => (ban.until ?? 0) - now() > RENEW_EVERY_MS * 20);
    await applyKeys(new Set(keys.map(([key]) => key)));
  }

  const timers = [
    setInterval(() => void enqueue(repair), options.repairEveryMs),
    setInterval(() => void enqueue(renew), RENEW_EVERY_MS),
  ];

  function* heldBans(): Iterable<HostBan> {
    for (const [key, ban] of bans) if (held.has(key) && isInForce(ban, now())) yield ban;
  }

  return {
    restore: (last) =>
      enqueue(async () => {
        for (const ban of last) bans.set(banKey(ban.jail, ban.address), ban);
        held = new Set(bans.keys());
        await repair();
        if ((await firewall.count()) > 0) return; // what was lifted since is not to come back
        held = new Set();
        await applyKeys(new Set(bans.keys()));
        if (held.size > 0) log.info({ bans: held.size }, "bans of before are in force again");
      }),

    trouble: () => {
      const reason = [...kernelRejected.values()].at(-1);
      const rejected = reason === undefined ? undefined : { count: kernelRejected.size, reason };
      return { ineffective, kernelRejected: rejected };
    },

    held: () => (replacedFor !== null && replacedFor === created ? heldBans() : undefined),

    settled: () => enqueue(() => Promise.resolve()),

    settingsChanged() {
      const jails = settings()?.jails() ?? [];
      const spelled = JSON.stringify(jails);
      if (jails.length > 0 && spelled !== jailsOpen) {
        jailsOpen = spelled;
        void enqueue(async () => {
          await firewall.open(jails);
          replacedFor = null; // a jail's new set is empty
        });
      }
      // An address that is allowed now comes out; one that no longer is goes in again.
      for (const [key, ban] of bans) {
        if (
          ban.by === "decider" &&
          (settings()?.allowed(ban.address) || refused.has(ban.address))
        ) {
          changed.add(key);
        }
      }
      schedule();
    },

    follow(connection) {
      following = followBucket(
        { connection, bucket: BANS_BUCKET, log },
        {
          begin(stream, last) {
            read = 0;
            // A bucket whose end NATS has lost begins to count again from there.
            applied = stream === created ? Math.min(applied, last) : 0;
            created = stream;
            caughtUp = false;
            isWhole = false;
            replacedFor = null;
            unseen = new Set(bans.keys());
          },
          entry(entry) {
            learn(entry);
            if (caughtUp) schedule();
          },
          caughtUp(missing) {
            caughtUp = true;
            isWhole = missing === 0;
            // Nothing is taken out of the kernel for it: replacing does that, when it may.
            if (isWhole) for (const key of unseen) bans.delete(key);
            schedule();
          },
        },
      );
    },

    // Beside the queue: it may take long, and bans do not wait for it.
    async recount() {
      const before = inForce;
      const counted = await firewall.count().catch(onFailed);
      if (inForce === before) inForce = counted ?? inForce;
    },
    state: () => ({
      revision: applied,
      bansCreated: created,
      bansInForce: inForce,
      repairs,
      refused: refused.list(),
    }),

    async stop() {
      stopped = true;
      for (const timer of timers) clearInterval(timer);
      following?.stop();
      await queue;
      await firewall.close();
    },
  };
}
