/** How far bans and their ends have come, for the replies that say so. */
import { overlaps, type Address } from "../../wire/address.ts";
import { FIRST, type Confirmed, type Reach } from "../../wire/reach.ts";
import { isEffective, type HostStatus } from "../../wire/status.ts";
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
  /**
   * On which live hosts the bans on the address are in force, as the hosts' last statuses say.
   * `revision`: the highest one of these bans. Later changes of other bans do not matter.
   */
  standing(address: Address, revision: number, isFor?: IsFor): Confirmed;
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
  return {
    standing(address, revision, isFor = () => true) {
      const concerned = hosts.list().filter(({ status }) => isFor(status.host));
      const up = concerned.filter((host) => hosts.isUp(host));
      const hasBan = ({ status }: Host) => hasRevision(status, bans.created(), revision);
      const missing = up.filter((host) => !hasBan(host)).map(({ status }) => status.host);
      return firstOf(sortOut({ banned: address }, up.filter(hasBan), missing));
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

/** Does the host say that it has applied the bucket that was made at `created` up to `revision`? */
export const hasRevision = (
  status: Pick<HostStatus, "revision" | "bansCreated">,
  created: string | null,
  revision: number,
): boolean => status.bansCreated === created && status.revision >= revision;

type Sorted = Omit<Confirmed, "counts">;

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
function firstOf({ inForce, missing, dryRun, ineffective, refused }: Sorted): Confirmed {
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
