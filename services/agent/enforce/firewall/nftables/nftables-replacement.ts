/**
 * Replaces all bans of the table, and keeps no other change waiting: nft would take 100,000 bans in
 * one transaction, for half a second in which nothing else can change, and deleting a set of that
 * size stops the kernel's ruleset for another 50 to 150 ms.
 *
 * So the next generation of sets is filled in slices, takes its place in the rules at once, and the
 * generation before is emptied in slices before it is deleted.
 */
import { inSlices } from "../../../../process/slices.ts";
import { isNetwork } from "../../../../wire/address.ts";
import { FirewallError } from "../command.ts";
import type { Banned, TimedBan } from "../firewall.ts";
import type { Aside } from "../in-order.ts";
import type { NftablesLayout } from "./nftables-layout.ts";
import {
  addLines,
  addSetLine,
  deleteLines,
  nextGeneration,
  setFor,
  TABLE,
  type Generation,
} from "./nftables-table.ts";

/** What was changed beside a replacement, the newest change of each ban. Without `added`, it is over. */
export type ChangesBeside = Map<string, { ban: Banned; added?: TimedBan }>;

export interface Replacement {
  bans: readonly TimedBan[];
  /** Brought into the next generation before the rules lead to it. */
  changes: ChangesBeside;
  aside: Aside;
  /** These bans are in the next generation. */
  onFilled: (bans: readonly TimedBan[]) => void;
  /** The rules lead to the next generation. */
  onSwitched: () => void;
}

/** Bans in one transaction, which takes some 10 ms. */
const SLICE = 1_000;

export async function replaceGeneration(
  layout: NftablesLayout,
  { bans, changes, aside, onFilled, onSwitched }: Replacement,
): Promise<void> {
  const generation = nextGeneration(layout.generation);
  const next = layout.setsFor([], generation);
  await aside(() =>
    inSlices(bans, (ban) => {
      if (isNetwork(ban.address)) next.add(setFor(ban, generation));
    }),
  );
  // An attempt that has failed may have left members.
  const flushed = [...next].map((set) => `flush set ${TABLE} ${set}`);
  await layout.layOut(layout.sets, flushed, next);
  const fill = async (some: readonly TimedBan[]) => {
    await layout.apply(addLines(some, generation));
    onFilled(some);
  };
  await aside(() => inTransactions(bans, fill));
  while (changes.size > SLICE) {
    const some = take(changes, next, generation);
    await aside(() => layout.apply([...[...next].map(addSetLine), ...some]));
  }
  const before = { sets: layout.sets, generation: layout.generation };
  const last = take(changes, next, generation);
  await layout.layOut(next, last, before.sets);
  layout.generation = generation;
  onSwitched();
  await aside(() => removeBefore(layout, bans, before));
}

async function removeBefore(
  layout: NftablesLayout,
  bans: readonly TimedBan[],
  before: Pick<NftablesLayout, "sets" | "generation">,
): Promise<void> {
  const { sets, generation } = before;
  try {
    // The generation before has mostly the same bans.
    await inTransactions(bans, (some) => {
      const emptied = some.filter((ban) => sets.has(setFor(ban, generation)));
      return layout.apply(deleteLines(emptied, generation));
    });
    await layout.removeAside();
  } catch (error) {
    // All bans are in force. What is left of the generation before is removed with the next change
    // of the rules.
    if (!(error instanceof FirewallError)) throw error;
  }
}

async function inTransactions(
  bans: readonly TimedBan[],
  change: (some: readonly TimedBan[]) => Promise<unknown>,
): Promise<void> {
  for (let from = 0; from < bans.length; from += SLICE) {
    await change(bans.slice(from, from + SLICE));
  }
}

/** Takes out as many changes as fit in a transaction, as lines; `sets` get those that they need. */
function take(changes: ChangesBeside, sets: Set<string>, generation: Generation): string[] {
  const some = [...changes].slice(0, SLICE);
  for (const [key] of some) changes.delete(key);
  const added = some.flatMap(([, change]) => change.added ?? []);
  for (const ban of added) sets.add(setFor(ban, generation));
  const changed = some.map(([, { ban }]) => ban);
  const present = changed.filter((ban) => sets.has(setFor(ban, generation)));
  return [...deleteLines(present, generation), ...addLines(added, generation)];
}
