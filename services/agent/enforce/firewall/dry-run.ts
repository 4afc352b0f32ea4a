/** A firewall that only says what it would do. It forgets bans when their time is over, as the kernel does. */
import type { Address } from "../../../wire/address.ts";
import type { Firewall, FirewallJail, Refused, TimedBan } from "./firewall.ts";

export interface DryRunOptions {
  now: () => number;
  say: (what: string, facts: object) => void;
}

export function createDryRunFirewall({ now, say }: DryRunOptions): Firewall {
  let jails: readonly FirewallJail[] = [];
  /** Ends of the bans, epoch milliseconds, by jail and address. */
  const ends = new Map<string, { jail: string; address: Address; end: number }>();
  const keyOf = ({ jail, address }: { jail: string; address: Address }) => `${jail} ${address}`;

  const add = (bans: readonly TimedBan[]): Refused[] =>
    bans.flatMap((ban) => {
      const { jail, address, seconds } = ban;
      if (!jails.some(({ name }) => name === jail)) {
        return [{ jail, address, reason: `there is no jail ${jail} here` }];
      }
      ends.set(keyOf(ban), { jail, address, end: now() + (seconds ?? Infinity) * 1000 });
      return [];
    });

  const current = (): TimedBan[] => {
    for (const [key, { end }] of ends) if (end <= now()) ends.delete(key);
    return [...ends.values()].map(({ jail, address, end }) => ({
      jail,
      address,
      seconds: end === Infinity ? undefined : Math.ceil((end - now()) / 1000),
    }));
  };

  return {
    kind: "dry-run",
    open(wanted) {
      jails = wanted;
      for (const [key, { jail }] of ends) {
        if (!jails.some(({ name }) => name === jail)) ends.delete(key);
      }
      say("would install the rules", { jails: jails.map(({ name }) => name) });
      return Promise.resolve();
    },
    replace(bans) {
      ends.clear();
      say("would ban exactly these", { bans: bans.length });
      return Promise.resolve(add(bans));
    },
    ban(bans) {
      for (const { jail, address, seconds } of bans) say("would ban", { jail, address, seconds });
      return Promise.resolve(add(bans));
    },
    unban(bans) {
      for (const ban of bans) {
        if (ends.delete(keyOf(ban))) say("would unban", { jail: ban.jail, address: ban.address });
      }
      return Promise.resolve();
    },
    list: () => Promise.resolve(current()),
    count: () => Promise.resolve(current().length),
    repair: () => Promise.resolve({ repaired: [], bansLost: false, ineffective: [] }),
    close: () => Promise.resolve(),
  };
}
