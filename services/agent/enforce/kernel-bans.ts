/**
 * The bans that this host has given to its kernel, and the one way to change them.
 *
 * A replacement of all bans takes long, and does not keep others waiting: `apply` may be called
 * meanwhile, and its changes outlast the replacement (see ban-replacement.ts).
 */
import { inSlices } from "../../process/slices.ts";
import type { Log } from "../../process/log.ts";
import { banKey } from "../../wire/subjects.ts";
import type { HostBan, Verdict } from "./ban-filter.ts";
import { BanReplacement } from "./ban-replacement.ts";
import { FirewallError, shortReason } from "./firewall/command.ts";
import type { Firewall, Refused, TimedBan } from "./firewall/firewall.ts";
import { createSkippedBans, type SkippedBan, type SkippedBans } from "./skipped-bans.ts";

/** A ban, and whether the fleet still has it; a ban that is gone must leave the kernel. */
export interface BanChange {
  ban: HostBan;
  isGone: boolean;
}

/**
 * How the kernel's bans are compared with those that it was given. Their number is quickly read, and
 * right also where somebody has put another address in for a ban that was taken out.
 */
export type Comparison = "number" | "names";

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
  /** Counts them in the kernel, unless they are changing. */
  recount(): Promise<void>;
  /**
   * How many bans the kernel lacks; 0 also while they are changing. `keysOfWanted` finds the bans
   * that must be there.
   */
  countMissing(by: Comparison, keysOfWanted: () => Promise<Set<string>>): Promise<number>;
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
  const bans = new GivenBans(options);
  return {
    has: (key) => bans.has(key),
    count: () => bans.count(),
    apply: (changes) => bans.changing(() => bans.apply(changes)),
    replace: (wanted, isStillRight) => bans.changing(() => bans.replace(wanted, isStillRight)),
    adopt: (keys) => bans.adopt(keys),
    forgetAll: () => bans.forgetAll(),
    recount: () => bans.recount(),
    countMissing: (by, keysOfWanted) => bans.countMissing(by, keysOfWanted),
    rejected: () => bans.rejected(),
    wasRejected: (key) => bans.wasRejected(key),
    rejectedKeys: () => bans.rejectedKeys(),
    skipped: () => bans.skipped(),
  };
}

/** What leaves the kernel needs no more than this. */
type Removed = Pick<HostBan, "jail" | "address">;

class GivenBans {
  readonly #options: KernelBansOptions;
  /**
   * The key of every ban that was handed to the kernel, and that the kernel neither has refused nor
   * was told to let go.
   */
  #inKernel = new Set<string>();
  /** How many bans the kernel has confirmed. */
  #inForce = 0;
  /** Changes that the kernel has not confirmed yet. */
  #underWay = 0;
  /** How many changes were begun. */
  #begun = 0;
  /** While the kernel's bans are replaced. */
  #replacing: BanReplacement | undefined;
  /** The kernel's reason, by the key of each ban that it has refused. */
  readonly #rejected = new Map<string, string>();
  readonly #skipped: SkippedBans;

  constructor(options: KernelBansOptions) {
    this.#options = options;
    this.#skipped = createSkippedBans(options.log);
  }

  has(key: string): boolean {
    return this.#replacing?.willHave(key) ?? this.#inKernel.has(key);
  }

  count(): number {
    return this.#inForce;
  }

  async apply(changes: ReadonlyMap<string, BanChange>): Promise<void> {
    const adding = new Map<string, TimedBan>();
    const removing = new Map<string, Removed>();
    for (const [key, { ban, isGone }] of changes) {
      const wanted = isGone ? undefined : this.#wanted(ban);
      this.#rejected.delete(key);
      if (wanted) adding.set(key, wanted);
      else removing.set(key, ban);
    }
    const refusal = await this.#removeOrExplain(removing);
    if (adding.size > 0) await this.#add(adding);
    if (refusal) throw refusal;
  }

  async replace(bans: Iterable<[string, HostBan]>, isStillRight: () => boolean): Promise<boolean> {
    const replacement = new BanReplacement();
    this.#replacing = replacement;
    try {
      await inSlices(bans, ([key, ban]) => {
        const timed = this.#wanted(ban);
        if (timed) replacement.want(key, timed);
      });
      if (!isStillRight()) return false;
      const rejected = await this.#options.firewall.replace(replacement.complete());
      this.#noteReplaced(replacement, rejected);
      return true;
    } finally {
      this.#replacing = undefined;
    }
  }

  adopt(keys: Iterable<string>): void {
    this.#inKernel = new Set(keys);
  }

  forgetAll(): void {
    this.#inKernel = new Set();
    this.#inForce = 0;
  }

  /** Notes that `work` changes what the kernel has. */
  async changing<T>(work: () => Promise<T>): Promise<T> {
    this.#begun += 1;
    this.#underWay += 1;
    try {
      return await work();
    } finally {
      this.#underWay -= 1;
    }
  }

  async recount(): Promise<void> {
    await this.#countUnchanged();
  }

  async countMissing(by: Comparison, keysOfWanted: () => Promise<Set<string>>): Promise<number> {
    const begun = this.#begun;
    const wanted = await keysOfWanted();
    if (this.#underWay > 0) return 0;
    if (by === "names") await this.#deletePresent(wanted);
    const counted = by === "names" ? 0 : await this.#countUnchanged();
    if (counted === undefined || this.#begun !== begun) return 0;
    return Math.max(wanted.size - counted, 0);
  }

  async #deletePresent(keys: Set<string>): Promise<void> {
    const present = await this.#options.firewall.list();
    await inSlices(present, ({ jail, address }) => keys.delete(banKey(jail, address)));
  }

  /** A count beside a change may have the change or not, and says nothing: undefined. */
  async #countUnchanged(): Promise<number | undefined> {
    if (this.#underWay > 0) return undefined;
    const begun = this.#begun;
    const counted = await this.#options.firewall.count();
    if (this.#begun !== begun) return undefined;
    this.#inForce = counted;
    return counted;
  }

  rejected(): { count: number; reason: string } | undefined {
    const reason = [...this.#rejected.values()].at(-1);
    return reason === undefined ? undefined : { count: this.#rejected.size, reason };
  }

  wasRejected(key: string): boolean {
    return this.#rejected.has(key);
  }

  rejectedKeys(): string[] {
    return [...this.#rejected.keys()];
  }

  skipped(): SkippedBan[] {
    return this.#skipped.list();
  }

  /** The ban as the kernel is to have it; undefined: not at all. */
  #wanted(ban: HostBan): TimedBan | undefined {
    const verdict = this.#options.judge(ban);
    if (verdict.type === "skipped") this.#skipped.note(ban.address, verdict.reason);
    else if (verdict.type === "applies") this.#skipped.forget(ban.address);
    return verdict.type === "applies" ? verdict.ban : undefined;
  }

  async #add(bans: ReadonlyMap<string, TimedBan>): Promise<void> {
    const before = this.#inKernel.size;
    for (const [key, ban] of bans) {
      this.#inKernel.add(key);
      this.#replacing?.change(key, ban);
    }
    const added = this.#inKernel.size - before;
    const rejected = await this.#banOrExplain([...bans.values()]);
    this.#inForce += added;
    for (const ban of rejected) this.#reject(ban);
  }

  /** A firewall that takes none of these bans keeps those that it has. The repair tries them again. */
  async #banOrExplain(bans: readonly TimedBan[]): Promise<Refused[]> {
    try {
      return await this.#options.firewall.ban(bans);
    } catch (error) {
      if (!(error instanceof FirewallError)) throw error;
      return bans.map(({ jail, address }) => ({ jail, address, reason: error.message }));
    }
  }

  /** A ban that the firewall does not let go is in force, and counts until it has gone. */
  async #removeOrExplain(bans: ReadonlyMap<string, Removed>): Promise<FirewallError | undefined> {
    if (bans.size === 0) return undefined;
    for (const key of bans.keys()) this.#replacing?.change(key, undefined);
    try {
      await this.#options.firewall.unban([...bans.values()]);
    } catch (error) {
      if (!(error instanceof FirewallError)) throw error;
      for (const key of bans.keys()) this.#replacing?.takeChangeBack(key);
      return error;
    }
    for (const key of bans.keys()) this.#letGo(key);
    return undefined;
  }

  #letGo(key: string): void {
    if (this.#inKernel.delete(key)) this.#inForce -= 1;
    this.#replacing?.change(key, undefined);
  }

  /** What the kernel refuses is not in force, and not to be kept for the next boot. */
  #reject({ jail, address, ...refused }: Refused): void {
    const key = banKey(jail, address);
    const reason = shortReason(refused.reason);
    this.#letGo(key);
    this.#rejected.set(key, reason);
    this.#skipped.note(address, reason);
  }

  #noteReplaced(replacement: BanReplacement, rejected: readonly Refused[]): void {
    // A ban that the kernel has refused meanwhile is refused still.
    for (const key of this.#rejected.keys()) {
      if (!replacement.isChanged(key)) this.#rejected.delete(key);
    }
    this.#inKernel = replacement.keys();
    this.#inForce = this.#inKernel.size;
    for (const ban of rejected) this.#reject(ban);
  }
}
