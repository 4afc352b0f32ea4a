/** Jails that count bans (`source: bans`): each ban that is seen in the bucket may complete one. */
import type { Address } from "../../wire/address.ts";
import { countedUntil, type Ban } from "../../wire/ban.ts";
import type { Jail } from "../../wire/settings.ts";
import { countsBans, isOffence } from "../../policy/ban-memory.ts";
import { findRepeatedBans } from "../../policy/repeated-bans.ts";
import type { DueBan } from "./ban-queue.ts";

export interface BanCounterOptions {
  jails: readonly Jail[];
  bans: {
    get(jail: string, address: Address): Ban | undefined;
    /** All that there are. */
    entries(): Iterable<{ ban: Ban }>;
  };
  decide: (due: DueBan) => void;
}

export interface BanCounter {
  /** A ban was seen in the bucket. */
  observe(ban: Ban): void;
  /** Counts what the bucket holds already. */
  countAll(): void;
}

export function createBanCounter({ jails, bans, decide }: BanCounterOptions): BanCounter {
  const counting = jails.filter(countsBans);
  const counted = jails.filter((jail) => !countsBans(jail)).map(({ name }) => name);

  function observe(ban: Ban): void {
    if (!isOffence(ban) || ban.hosts || !counted.includes(ban.jail)) return;
    const { address } = ban;
    const others = counted.filter((name) => name !== ban.jail);
    const all = [ban, ...others.flatMap((name) => bans.get(name, address) ?? [])];
    for (const jail of counting) {
      const present = bans.get(jail.name, address);
      const offence = findRepeatedBans(all, jail, present ? countedUntil(present) : -Infinity);
      const [host = ""] = offence?.hosts.keys() ?? [];
      if (offence) decide({ jail, offence, host, storedAt: ban.changedAt });
    }
  }

  return {
    observe: counting.length > 0 ? observe : () => {},
    countAll() {
      if (counting.length > 0) for (const { ban } of bans.entries()) observe(ban);
    },
  };
}
