/** How far bans and their ends have come, for the replies that say so. */
import { overlaps, type Address } from "../../wire/address.ts";
import { FIRST, type Reach, type Standing } from "../../wire/reach.ts";
import { isEffective } from "../../wire/status.ts";
import type { BanStore, Written } from "../buckets/ban-store.ts";
import type { Host, Hosts } from "../hosts/hosts.ts";

/**
 * What has changed: a ban on this address, or the end of one. "many": bans on many addresses, of
 * which a host may refuse some.
 */
export type Change = { banned: Address | "many" } | { lifted: Address };

/** Is the ban for the host? undefined: it is for every host. */
type IsFor = ((host: string) => boolean) | undefined;

export interface Reaches {
  /** Where bans on the address are in force, as the hosts' last statuses say. */
  standing(address: Address, isFor?: IsFor): Standing;
  /**
   * Waits until every live host has applied what was written, at most `wait` milliseconds;
   * null: does not wait. `since` is when the change was begun (performance.now).
   */
  untilApplied(
    change: Change,
    written: readonly Pick<Written, "revision">[],
    since: number,
    wait: number | null,
    isFor?: IsFor,
  ): Promise<Reach | null>;
}

export interface ReachesOptions {
  bans: Pick<BanStore, "revision" | "created">;
  hosts: Pick<Hosts, "list" | "isUp" | "untilApplied">;
}

export function createReaches({ bans, hosts }: ReachesOptions): Reaches {
  const isCurrent = ({ status }: Host) =>
    status.revision >= bans.revision() && status.bansCreated === bans.created();

  return {
    standing(address, isFor = () => true) {
      const concerned = hosts.list().filter(({ status }) => isFor(status.host));
      const up = concerned.filter((host) => hosts.isUp(host));
      const missing = up.filter((host) => !isCurrent(host)).map(({ status }) => status.host);
      return firstOf(sortOut({ banned: address }, up.filter(isCurrent), missing));
    },

    async untilApplied(change, written, since, wait, isFor = () => true) {
      if (wait === null) return null;
      const revision = Math.max(...written.map((each) => each.revision), 0);
      const target = { created: bans.created(), revision: revision || bans.revision() };
      const reached = await hosts.untilApplied(target, since, wait);
      const applied = reached.applied.filter(({ host }) => isFor(host));
      const [missing, down] = [reached.missing.filter(isFor), reached.down.filter(isFor)];
      const names = new Set(applied.map(({ host }) => host));
      const reporting = hosts.list().filter(({ status }) => names.has(status.host));
      const sorted = sortOut(change, reporting, missing);
      const { counts, ...standing } = firstOf(sorted);
      const inForce = new Set(sorted.inForce);
      const slowest = applied.toSorted((a, b) => b.ms - a.ms);
      return {
        ...standing,
        applied: slowest.slice(0, FIRST),
        down: down.slice(0, FIRST),
        counts: { ...counts, applied: applied.length, down: down.length },
        slowestMs: slowest.find(({ host }) => inForce.has(host))?.ms ?? null,
      };
    },
  };
}

type Sorted = Omit<Standing, "counts">;

/** `reporting`: hosts that have the change. A ban that ends is neither refused nor only logged. */
function sortOut(change: Change, reporting: readonly Host[], missing: string[]): Sorted {
  const sorted: Sorted = { inForce: [], missing, dryRun: [], ineffective: [], refused: [] };
  const banned = "banned" in change ? change.banned : undefined;
  for (const { status } of reporting) {
    const { host } = status;
    const refusal =
      banned !== undefined &&
      banned !== "many" &&
      status.refused.find(({ address }) => overlaps(address, banned));
    if (refusal) sorted.refused.push({ host, ...refusal });
    else if (banned && status.firewall === "dry-run") sorted.dryRun.push(host);
    else if (banned && !isEffective(status)) sorted.ineffective.push(host);
    else sorted.inForce.push(host);
  }
  return sorted;
}

/** The first of every list, beside how long it is. */
function firstOf({ inForce, missing, dryRun, ineffective, refused }: Sorted): Standing {
  const counts = {
    inForce: inForce.length,
    missing: missing.length,
    dryRun: dryRun.length,
    ineffective: ineffective.length,
    refused: refused.length,
  };
  const live = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return {
    inForce: inForce.slice(0, FIRST),
    missing: missing.slice(0, FIRST),
    dryRun: dryRun.slice(0, FIRST),
    ineffective: ineffective.slice(0, FIRST),
    refused: refused.slice(0, FIRST),
    counts: { live, ...counts },
  };
}
