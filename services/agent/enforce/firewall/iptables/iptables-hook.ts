/**
 * fleetban's one rule in a chain of somebody else: `-j fleetban`. It must stand before every rule that
 * could let a banned address in. It may stand behind jumps that can only refuse: other
 * programs, such as mailcow's, want theirs to be the first, and then nobody fights.
 */
import { jailOfChain } from "../names.ts";
import {
  canLetThrough,
  hasChain,
  isHarmlessJump,
  rulesIn,
  targetOf,
  type Reach,
  type Table,
} from "./iptables-table.ts";

/** The chain that every hook leads to; the chains of jails hang behind it. */
export const DISPATCH = "fleetban";
const HOOK = `-j ${DISPATCH}`;

export type Hook =
  | { state: "in place" }
  | { state: "no chain" }
  | { state: "missing" }
  /** `by` is a rule before it that may let packets through. */
  | { state: "displaced"; by: string };

export function isOurs(chain: string): boolean {
  return chain === DISPATCH || jailOfChain(chain) !== undefined;
}

function leadsToUs(rule: string): boolean {
  const target = targetOf(rule);
  return target !== undefined && isOurs(target.name);
}

export function findHook(parent: string, table: Table, reach: Reach): Hook {
  if (!hasChain(parent, table)) return { state: "no chain" };
  const rules = rulesIn(table, parent);
  const at = rules.indexOf(HOOK);
  // A second rule, or one of an earlier version for a single jail, is none too many to be replaced.
  if (at < 0 || rules.filter(leadsToUs).length > 1) return { state: "missing" };
  const by = rules.slice(0, at).find((rule) => canLetThrough(rule, table, reach));
  return by === undefined ? { state: "in place" } : { state: "displaced", by };
}

/** Puts the hook first, in place of whatever leads from `parent` to fleetban. */
export function placeHook(parent: string, table: Table, reach: Reach): string[] {
  const rules = rulesIn(table, parent);
  const others = rules.filter((rule) => !leadsToUs(rule));
  const first = others.findIndex((rule) => !isHarmlessJump(rule, table, reach));
  const before = first < 0 ? others.length : first;
  return [...unhook(parent, table), `-I ${parent} ${before + 1} ${HOOK}`];
}

/** Removes every rule that leads from `parent` to fleetban. */
function unhook(parent: string, table: Table): string[] {
  return rulesIn(table, parent)
    .filter(leadsToUs)
    .map((rule) => `-D ${parent} ${rule}`);
}

/** Chains that lead to fleetban although they are none of `parents`, and the lines that change that. */
export function strayHooks(
  parents: readonly string[],
  table: Table,
): { chain: string; lines: string[] }[] {
  return [...table.rules.keys()]
    .filter((chain) => !parents.includes(chain) && !isOurs(chain))
    .map((chain) => ({ chain, lines: unhook(chain, table) }))
    .filter(({ lines }) => lines.length > 0);
}
