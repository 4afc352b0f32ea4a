/** Jails with the option `network`: each ban that is seen in the bucket may complete a network's. */
import type { Address } from "../../wire/address.ts";
import { countedUntil, type Ban } from "../../wire/ban.ts";
import type { Jail } from "../../wire/settings.ts";
import { createBannedNetworks } from "../../policy/banned-networks.ts";
import type { BanCounter, BanCounterOptions } from "./ban-counter.ts";

export interface NetworkCounter extends BanCounter {
  /** Lets go of what is too old to matter. */
  sweep(now: number): void;
}

export function createNetworkCounter(options: BanCounterOptions): NetworkCounter {
  const { jails, bans, decide } = options;
  const counting = new Map(
    jails.flatMap((jail) =>
      jail.network
        ? [[jail.name, { jail, networks: createBannedNetworks(jail.network, jail) }]]
        : [],
    ),
  );

  const countedUntilIn = (jail: Jail) => (network: Address) => {
    const present = bans.get(jail.name, network);
    return present ? countedUntil(present) : -Infinity;
  };

  function observe(ban: Ban): void {
    const counted = counting.get(ban.jail);
    const offence = counted?.networks.note(ban, countedUntilIn(counted.jail));
    if (!counted || !offence) return;
    const [host = ""] = offence.hosts.keys();
    decide({ jail: counted.jail, offence, host, storedAt: ban.changedAt });
  }

  return {
    observe: counting.size > 0 ? observe : () => {},
    countAll() {
      if (counting.size > 0) for (const { ban } of bans.entries()) observe(ban);
    },
    sweep(now) {
      for (const { networks } of counting.values()) networks.sweep(now);
    },
  };
}
