/**
 * A few members of every set that do not run out soon: where the kernel does not tell how
 * many members a set has, the absence of one of these shows that it was emptied.
 */
import type { Address } from "../../../wire/address.ts";
import type { TimedBan } from "./firewall.ts";

export interface Witnesses {
  add(set: string, bans: readonly TimedBan[]): void;
  remove(set: string, address: Address): void;
  clear(): void;
  /** One for each set that must have one now. */
  called(): { set: string; jail: string; address: Address }[];
}

const KEPT = 8;
/** Clocks of kernel and agent need not agree to the second. */
const SLACK_MS = 60_000;

export function createWitnesses(now: () => number): Witnesses {
  const sets = new Map<string, Map<Address, { jail: string; end: number }>>();
  return {
    add(set, bans) {
      const kept = sets.get(set) ?? new Map<Address, { jail: string; end: number }>();
      sets.set(set, kept);
      for (const { jail, address, seconds = Infinity } of bans) {
        kept.delete(address);
        if (seconds * 1000 > SLACK_MS) kept.set(address, { jail, end: now() + seconds * 1000 });
        const [oldest] = kept.keys();
        if (kept.size > KEPT && oldest !== undefined) kept.delete(oldest);
      }
    },
    remove: (set, address) => void sets.get(set)?.delete(address),
    clear: () => sets.clear(),
    called: () =>
      [...sets].flatMap(([set, kept]) => {
        const witness = [...kept].find(([, { end }]) => end - now() > SLACK_MS);
        return witness ? [{ set, jail: witness[1].jail, address: witness[0] }] : [];
      }),
  };
}
