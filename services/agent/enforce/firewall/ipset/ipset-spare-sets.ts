/** Spare sets: each is filled beside the set that is in force, and then takes its place at once. */
import type { Address } from "../../../../wire/address.ts";
import { FirewallError } from "../command.ts";
import type { Refused, TimedBan } from "../firewall.ts";
import type { Family } from "../names.ts";
import { addRefusing } from "../refusing.ts";
import { addLine, createSetLine, deleteLine, MAX_MEMBERS, setOf, type Sets } from "./ipset-sets.ts";

export interface SpareSets {
  /** Fills the spare of a set with exactly these; returns those that the kernel would not take. */
  fillSpare(set: string, family: Family, bans: readonly TimedBan[]): Promise<Refused[]>;
  /** Adds to the spares, or takes out of them; returns what the kernel would not take. */
  changeSpares(
    added: readonly TimedBan[],
    removed: readonly { jail: string; address: Address }[],
  ): Promise<Refused[]>;
  /** Puts the spares of these sets in their place, at once. */
  swapIn(sets: readonly string[]): Promise<void>;
  /** After that, the spares hold what was in force before. */
  destroySpares(sets: readonly string[]): Promise<void>;
}

/** The set that is filled before it is swapped in. */
function spareName(set: string): string {
  return `${set}~`;
}

export function createSpareSets(sets: Pick<Sets, "restore">, maxMembers = MAX_MEMBERS): SpareSets {
  const restore = (lines: Iterable<string>) => sets.restore(lines);

  return {
    async fillSpare(set, family, bans) {
      const spare = spareName(set);
      const hashsize = 2 ** Math.ceil(Math.log2(Math.max(bans.length, 4096)));
      const make = [createSetLine(spare, family, hashsize, maxMembers), `flush ${spare}`];
      function* script(): Iterable<string> {
        yield* make;
        for (const ban of bans) yield addLine(ban, spare);
      }
      try {
        await restore(script());
        return [];
      } catch (error) {
        if (!(error instanceof FirewallError)) throw error;
        await restore(make); // what is not about single bans fails again here
        return addRefusing(bans, (some) => restore(some.map((ban) => addLine(ban, spare))));
      }
    },

    async changeSpares(added, removed) {
      const spareOf = (ban: { jail: string; address: Address }) => spareName(setOf(ban));
      const lines = removed.map((ban) => deleteLine(ban, spareOf(ban)));
      if (lines.length > 0) await restore(lines);
      return addRefusing(added, (some) => restore(some.map((ban) => addLine(ban, spareOf(ban)))));
    },

    async swapIn(filled) {
      await restore(filled.map((set) => `swap ${spareName(set)} ${set}`));
    },

    async destroySpares(swapped) {
      await restore(swapped.map((set) => `destroy ${spareName(set)}`));
    },
  };
}
