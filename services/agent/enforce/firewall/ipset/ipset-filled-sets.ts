/**
 * The sets that hold a ban which does not run out soon. If the kernel shows such a set empty,
 * somebody has emptied it.
 */
import type { Address } from "../../../../wire/address.ts";
import type { TimedBan } from "../firewall.ts";
import { createWitnesses } from "../witnesses.ts";
import { setOf } from "./ipset-sets.ts";

export interface FilledSets {
  note(ban: TimedBan): void;
  /** These bans have left their sets. */
  noteOver(bans: readonly { jail: string; address: Address }[]): Promise<void>;
  /** All bans are replaced: these sets, and no others, have a lasting ban. */
  replace(sets: Iterable<string>): void;
  /** Whether the set must hold something, and does not. */
  isEmptied(set: string): Promise<boolean>;
}

/** Does not run out within the next minute. */
export function isLasting({ seconds }: TimedBan): boolean {
  return seconds === undefined || seconds > 60;
}

/** `count` reads from the kernel how many members a set has. */
export function createFilledSets(count: (set: string) => Promise<number>): FilledSets {
  const filled = new Set<string>();
  const witnesses = createWitnesses(Date.now);
  return {
    note(ban) {
      if (!isLasting(ban)) return;
      filled.add(setOf(ban));
      witnesses.add(setOf(ban), [ban]);
    },
    async noteOver(bans) {
      for (const ban of bans) witnesses.remove(setOf(ban), ban.address);
      // A set is counted only where no other ban is known to be in it.
      const standing = new Set(witnesses.called().map(({ set }) => set));
      for (const set of new Set(bans.map(setOf))) {
        if (!standing.has(set) && (await count(set)) === 0) filled.delete(set);
      }
    },
    replace(sets) {
      filled.clear();
      witnesses.clear();
      for (const set of sets) filled.add(set);
    },
    isEmptied: async (set) => filled.has(set) && (await count(set)) === 0,
  };
}
