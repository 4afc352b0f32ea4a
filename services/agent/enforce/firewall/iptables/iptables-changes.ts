/** What has to be changed in a filter table, as lines for `iptables-restore`. */
import { rulesIn, type Table } from "./iptables-table.ts";

/** Lines for iptables-restore, and in words what they put right; both are empty where nothing is wrong. */
export interface Change {
  lines: readonly string[];
  why: readonly string[];
}

export const NO_CHANGE: Change = { lines: [], why: [] };

/** Makes a chain of users that is missing. */
export function addChain(chain: string): Change {
  return { lines: [`:${chain} - [0:0]`], why: [`chain ${chain} was missing`] };
}

/** Gives one of our chains these rules; naming a chain makes it or empties it. */
export function fillChain(chain: string, rules: readonly string[], table: Table): Change {
  const isThere = table.chains.has(chain);
  if (isThere && areSame(rulesIn(table, chain), rules)) return NO_CHANGE;
  const what = isThere ? `rules of ${chain} were changed` : `chain ${chain} was missing`;
  const lines = [`:${chain} - [0:0]`, ...rules.map((rule) => `-A ${chain} ${rule}`)];
  return { lines, why: [what] };
}

/** All are emptied before the first is removed: they lead to each other. */
export function removeChains(chains: readonly string[]): string[] {
  return [...chains.map((chain) => `-F ${chain}`), ...chains.map((chain) => `-X ${chain}`)];
}

/** In any order: every one of them says the same of an address, but for the last, RETURN. */
function areSame(some: readonly string[], others: readonly string[]): boolean {
  if (some.length !== others.length || some.at(-1) !== others.at(-1)) return false;
  const all = new Set(others);
  return some.every((rule) => all.has(rule));
}
