/**
 * Keeps the hooks in place: one in each parent chain, and none elsewhere. Where another program puts
 * its rule first each time, the agent gives way for a while (see hook-contest.ts).
 */
import { createHookContest, type HookContest } from "../hook-contest.ts";
import { explainMissingChain, explainPeer } from "../not-effective.ts";
import { DISPATCH, findHook, placeHook, strayHooks } from "./iptables-hook.ts";
import type { Reach, Table } from "./iptables-table.ts";

/** A change of the filter table, see iptables-changes.ts. */
export interface HookChange {
  lines: string[];
  why: string[];
  /** Why some hooks cannot be where they must be. */
  ineffective: string[];
}

export class Hooks {
  readonly #contests: ReadonlyMap<string, HookContest>;

  constructor(parents: readonly string[]) {
    this.#contests = new Map(parents.map((parent) => [parent, createHookContest()]));
  }

  /** What puts the hooks back. */
  mend(table: Table, reach: Reach): HookChange {
    const change: HookChange = { lines: [], why: [], ineffective: [] };
    for (const [parent, contest] of this.#contests) {
      mendHook(parent, contest, { table, reach, change });
    }
    for (const stray of strayHooks([...this.#contests.keys()], table)) {
      change.why.push(`${stray.chain} led to ${DISPATCH}, and is not in firewall.chains`);
      change.lines.push(...stray.lines);
    }
    return change;
  }
}

interface Mending {
  table: Table;
  reach: Reach;
  /** Where to note what is to be done. */
  change: HookChange;
}

function mendHook(parent: string, contest: HookContest, { table, reach, change }: Mending): void {
  const hook = findHook(parent, table, reach);
  switch (hook.state) {
    case "no chain":
      change.ineffective.push(explainMissingChain(parent, table));
      return;
    case "in place":
      contest.onInPlace();
      return;
    case "displaced":
      if (contest.onDisplaced() === "give way") {
        change.ineffective.push(explainPeer(parent, hook.by));
        return;
      }
      change.why.push(`in ${parent}, "${hook.by}" stood before the rule of ${DISPATCH}`);
      break;
    case "missing":
      change.why.push(`${parent} did not lead to ${DISPATCH}`);
      break;
  }
  change.lines.push(...placeHook(parent, table, reach));
}
