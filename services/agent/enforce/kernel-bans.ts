/**
 * The bans that this host has given to its kernel, and the one way to change them.
 *
 * Invariant: `inKernel` holds the key of every ban that was handed to the kernel, and that the
 * kernel neither has refused nor was told to let go. `inForce` counts what the kernel has confirmed.
 * A replacement of all bans takes long, and does not keep others waiting: `apply` may be called
 * meanwhile, and its changes outlast the replacement.
 */
import { inSlices } from "../../process/slices.ts";
import type { Log } from "../../process/log.ts";
import type { Address } from "../../wire/address.ts";
import { banKey } from "../../wire/subjects.ts";
import type { HostBan, Verdict } from "./ban-filter.ts";
import { FirewallError, shortReason } from "./firewall/command.ts";
import type { Firewall, Refused, TimedBan } from "./firewall/firewall.ts";
import { createSkippedBans, type SkippedBan } from "./skipped-bans.ts";

/** All bans that the kernel is to have, by their keys, and what was changed beside since. */
interface Replacement {
  wanted: Map<string, TimedBan>;
  /** The keys of `wanted`: to collect 100,000 of them at the end would take 10 ms. */
  keys: Set<string>;
  changes: Map<string, TimedBan | undefined>;
}

/** Without `ban`, the ban is over. */
function want(key: string, ban: TimedBan | undefined, { wanted, keys }: Replacement): void {
  if (ban) {
    wanted.set(key, ban);
    keys.add(key);
  } else {
    wanted.delete(key);
    keys.delete(key);
  }
}

function mergeChanges(replacement: Replacement): void {
  for (const [key, ban] of replacement.changes) want(key, ban, replacement);
  replacement.changes.clear();
}

/** A ban, and whether the fleet still has it; a ban that is gone must leave the kernel. */
export interface BanChange {
  ban: HostBan;
  isGone: boolean;
}

export interface KernelBans {
  has(key: string): boolean;
  /** How many are in force. */
  count(): number;
  /**
   * Brings some bans into the kernel, or takes them out. Throws a FirewallError when the kernel has
   * not let go of bans; those that it was to take are in force or rejected all the same.
   */
  apply(changes: ReadonlyMap<string, BanChange>): Promise<void>;
  /**
   * Exactly these bans and no others, with no moment in between. `isStillRight` is asked right
   * before the kernel is changed; false: nothing is changed, and false is returned.
   */
  replace(bans: Iterable<[string, HostBan]>, isStillRight: () => boolean): Promise<boolean>;
  /** The kernel holds some bans already; which of these is not known. */
  adopt(keys: Iterable<string>): void;
  /** Somebody has emptied the kernel's sets. */
  forgetAll(): void;
  /** Counts them in the kernel. */
  recount(): Promise<void>;
  /** The kernel's reasons, of the bans that it has refused. */
  rejected(): { count: number; reason: string } | undefined;
  wasRejected(key: string): boolean;
  /** Those that the kernel has refused: it may have room again. */
  rejectedKeys(): string[];
  /** The last bans that this host does not apply, for its status. */
  skipped(): SkippedBan[];
}

export interface KernelBansOptions {
  firewall: Firewall;
  /** What becomes of a ban on this host, now. */
  judge: (ban: HostBan) => Verdict;
  log: Log;
}

export function createKernelBans(options: KernelBansOptions): KernelBans {
  const { firewall, log } = options;
  let inKernel = new Set<string>();
  let inForce = 0;
  /** While the kernel's bans are replaced. */
  let replacing: Replacement | undefined;
  const kernelRejected = new Map<string, string>();
  const skipped = createSkippedBans(log);

  /** The ban as the kernel is to have it; undefined: not at all. */
  function judge(ban: HostBan): TimedBan | undefined {
    const verdict = options.judge(ban);
    if (verdict.type === "skipped") skipped.note(ban.address, verdict.reason);
    else if (verdict.type === "applies") skipped.forget(ban.address);
    return verdict.type === "applies" ? verdict.ban : undefined;
  }

  function letGo(key: string): void {
    if (inKernel.delete(key)) inForce -= 1;
    replacing?.changes.set(key, undefined);
  }

  /** What the kernel refuses is not in force, and not to be kept for the next boot. */
  function reject({ jail, address, ...refused }: Refused): void {
    const key = banKey(jail, address);
    const reason = shortReason(refused.reason);
    letGo(key);
    kernelRejected.set(key, reason);
    skipped.note(address, reason);
  }

  /** A firewall that takes none of these bans keeps those that it has. The repair tries them again. */
  async function banOrExplain(bans: readonly TimedBan[]): Promise<Refused[]> {
    try {
      return await firewall.ban(bans);
    } catch (error) {
      if (!(error instanceof FirewallError)) throw error;
      return bans.map(({ jail, address }) => ({ jail, address, reason: error.message }));
    }
  }

  async function add(bans: ReadonlyMap<string, TimedBan>): Promise<void> {
    const before = inKernel.size;
    for (const [key, ban] of bans) {
      inKernel.add(key);
      replacing?.changes.set(key, ban);
    }
    const added = inKernel.size - before;
    const rejected = await banOrExplain([...bans.values()]);
    inForce += added;
    for (const ban of rejected) reject(ban);
  }

  /** A ban that the firewall does not let go is in force, and counts until it has gone. */
  async function unbanOrExplain(
    bans: ReadonlyMap<string, { jail: string; address: Address }>,
  ): Promise<FirewallError | undefined> {
    if (bans.size === 0) return undefined;
    for (const key of bans.keys()) replacing?.changes.set(key, undefined);
    try {
      await firewall.unban([...bans.values()]);
    } catch (error) {
      if (!(error instanceof FirewallError)) throw error;
      for (const key of bans.keys()) replacing?.changes.delete(key);
      return error;
    }
    for (const key of bans.keys()) letGo(key);
    return undefined;
  }

  function noteReplaced(replacement: Replacement, rejected: readonly Refused[]): void {
    // What the kernel has refused beside is refused still.
    for (const key of kernelRejected.keys()) {
      if (!replacement.changes.has(key)) kernelRejected.delete(key);
    }
    mergeChanges(replacement);
    inKernel = replacement.keys;
    inForce = inKernel.size;
    for (const ban of rejected) reject(ban);
  }

  function has(key: string): boolean {
    if (replacing?.changes.has(key)) return replacing.changes.get(key) !== undefined;
    return inKernel.has(key) || replacing?.wanted.has(key) === true;
  }

  return {
    has,
    count: () => inForce,

    async apply(changes) {
      const adding = new Map<string, TimedBan>();
      const removing = new Map<string, { jail: string; address: Address }>();
      for (const [key, { ban, isGone }] of changes) {
        const wanted = isGone ? undefined : judge(ban);
        kernelRejected.delete(key);
        if (wanted) adding.set(key, wanted);
        else removing.set(key, ban);
      }
      const refusal = await unbanOrExplain(removing);
      if (adding.size > 0) await add(adding);
      if (refusal) throw refusal;
    },

    async replace(bans, isStillRight) {
      const replacement: Replacement = { wanted: new Map(), keys: new Set(), changes: new Map() };
      replacing = replacement;
      try {
        await inSlices(bans, ([key, ban]) => {
          const timed = judge(ban);
          if (timed) want(key, timed, replacement);
        });
        if (!isStillRight()) return false;
        // The firewall brings in by itself what is changed from here on.
        mergeChanges(replacement);
        noteReplaced(replacement, await firewall.replace([...replacement.wanted.values()]));
        return true;
      } finally {
        replacing = undefined;
      }
    },

    adopt(keys) {
      inKernel = new Set(keys);
    },
    forgetAll() {
      inKernel = new Set();
      inForce = 0;
    },

    async recount() {
      const before = inForce;
      const counted = await firewall.count();
      if (inForce === before) inForce = counted;
    },

    rejected() {
      const reason = [...kernelRejected.values()].at(-1);
      return reason === undefined ? undefined : { count: kernelRejected.size, reason };
    },
    wasRejected: (key) => kernelRejected.has(key),
    rejectedKeys: () => [...kernelRejected.keys()],
    skipped: skipped.list,
  };
}
