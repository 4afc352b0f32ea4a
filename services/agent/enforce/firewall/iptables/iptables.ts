/**
 * Bans as rules, one DROP per address, as fail2ban users know them from `iptables -L -n`: for
 * hosts without ipset and nftables. Every packet to a jail's ports is compared with each of them.
 *
 * A rule of a ban that ends carries the `time` match: the kernel itself stops to apply it, also
 * when the agent is dead, and whoever reads it sees when. What is left of a rule then is swept with
 * the next change or repair. The rules are remembered: to remove one takes its exact words.
 */
import { familyOf, parseNetwork, prefixOf, type Address } from "../../../../wire/address.ts";
import { FirewallError, run as runCommand, type Run } from "../command.ts";
import { sortOut, type Firewall, type FirewallJail, type TimedBan } from "../firewall.ts";
import { createInOrder } from "../in-order.ts";
import { createChains, type Chains, type Ensured } from "./iptables-chains.ts";
import { chainName, checked, FAMILIES } from "../names.ts";

export interface IptablesOptions {
  /** Chains whose first rules lead to ours. */
  chains: readonly string[];
  /** This host's clock, which the kernel ends bans by. */
  now: () => number;
  run?: Run | undefined;
}

const RETURN = "-j RETURN";
/** xt_time knows dates up to 2106, and takes 2038-01-19 for none; later bans are renewed by then. */
const LAST_SECOND = Date.UTC(2038, 0, 1) / 1000;

/** Ends of bans in seconds since 1970, undefined: for ever; by address. */
type Ends = Map<Address, number | undefined>;

export function createIptablesFirewall(options: IptablesOptions): Firewall {
  const { chains: parents, now, run = runCommand } = options;
  const chains = FAMILIES.map((each) => ({ ...each, ...createChains(each, parents, run) }));
  const inOrder = createInOrder();
  let jails: readonly FirewallJail[] = [];
  let remembered = new Map<string, Ends>();

  const endsOf = (jail: string): Ends => {
    const known = remembered.get(jail) ?? new Map<Address, number | undefined>();
    remembered.set(jail, known);
    return known;
  };
  const endOf = ({ seconds }: TimedBan) =>
    seconds === undefined ? undefined : Math.floor(now() / 1000 + seconds);
  const isOver = (end: number | undefined) => end !== undefined && end * 1000 + 999 < now();

  const remember = (bans: readonly TimedBan[]) => {
    for (const ban of bans) endsOf(ban.jail).set(checked(ban.address), endOf(ban));
  };

  /** Makes the chains hold what is remembered, whatever they hold now. */
  async function ensureChains(): Promise<Ensured> {
    const [repaired, ineffective]: [string[], string[]] = [[], []];
    for (const { family, ensure } of chains) {
      const rulesOf = (jail: string) => [
        ...[...endsOf(jail)]
          .filter(([address]) => familyOf(address) === family)
          .map(([address, end]) => dropRule(address, end)),
        RETURN,
      ];
      const ensured = await ensure(jails, rulesOf);
      repaired.push(...ensured.repaired);
      ineffective.push(...ensured.ineffective);
    }
    return { repaired, ineffective };
  }

  /** Does the work; where the kernel refuses it, what is remembered is as before. */
  async function orAsBefore<T>(work: () => Promise<T>): Promise<T> {
    const before = new Map([...remembered].map(([jail, ends]) => [jail, new Map(ends)]));
    try {
      return await work();
    } catch (error) {
      remembered = before;
      throw error;
    }
  }
  /** The remembered rules change with the kernel's, or not at all. */
  const changing = <T>(work: () => Promise<T>) => inOrder(() => orAsBefore(work));

  /** Rules of bans that are over, as lines that remove them; they are forgotten. */
  function sweep(): Line[] {
    const lines: Line[] = [];
    for (const [jail, ends] of remembered) {
      for (const [address, end] of ends) {
        if (!isOver(end)) continue;
        lines.push(removal(jail, address, end));
        ends.delete(address);
      }
    }
    return lines;
  }

  async function change(lines: readonly Line[]): Promise<void> {
    try {
      for (const { family, change: apply } of chains) {
        await apply(lines.filter((line) => line.family === family).map(({ text }) => text));
      }
    } catch (error) {
      if (!(error instanceof FirewallError)) throw error;
      await ensureChains(); // somebody has changed the chain
    }
  }

  return {
    kind: "iptables",

    open: (wanted, inherited = []) =>
      inOrder(async () => {
        jails = wanted;
        remembered.clear();
        const present = await bansIn(chains, now());
        remember(sortOut([...inherited, ...present], jails).known);
        await ensureChains();
      }),

    replace: (bans) =>
      changing(async () => {
        const { known, refused } = sortOut(bans, jails);
        remembered.clear();
        remember(known);
        await ensureChains();
        return refused;
      }),

    ban: (bans) =>
      changing(async () => {
        const { known, refused } = sortOut(bans, jails);
        const lines: Line[] = sweep();
        for (const ban of known) {
          const { jail, address } = ban;
          const ends = endsOf(jail);
          const [end, before] = [endOf(ban), ends.get(address)];
          if (ends.has(address) && end === before) continue;
          const text = `-I ${chainName(jail)} 1 ${dropRule(address, end)}`;
          lines.push({ family: familyOf(address), text });
          if (ends.has(address)) lines.push(removal(jail, address, before));
          ends.set(address, end);
        }
        await change(lines);
        return refused;
      }),

    unban: (bans) =>
      changing(async () => {
        const lines: Line[] = sweep();
        for (const { jail, address } of sortOut(bans, jails).known) {
          const ends = endsOf(jail);
          if (!ends.has(address)) continue;
          lines.push(removal(jail, address, ends.get(address)));
          ends.delete(address);
        }
        await change(lines);
      }),

    list: () => inOrder(async () => sortOut(await bansIn(chains, now()), jails).known),

    count: () => inOrder(async () => sortOut(await bansIn(chains, now()), jails).known.length),

    repair: () =>
      inOrder(async () => {
        await change(sweep());
        return { ...(await ensureChains()), bansLost: false };
      }),

    close: () => Promise.resolve(),
  };
}

interface Line {
  family: 4 | 6;
  text: string;
}

function removal(jail: string, address: Address, end: number | undefined): Line {
  return {
    family: familyOf(address),
    text: `-D ${chainName(jail)} ${dropRule(address, end)}`,
  };
}

/** As `iptables -S` spells it. */
function dropRule(address: Address, end: number | undefined): string {
  const source = address.includes("/") ? address : `${checked(address)}/${prefixOf(address)}`;
  const until =
    end === undefined || end > LAST_SECOND
      ? ""
      : `-m time --datestop ${new Date(end * 1000).toISOString().slice(0, 19)} `;
  return `-s ${source} ${until}-j DROP`;
}

const DROP_RULE = /^-s (\S+) (?:-m time --datestop (\S+) )?-j DROP$/;

/** The bans that are rules in our chains, whoever made them. */
export async function bansIn(
  chains: readonly Pick<Chains, "rules">[],
  now: number,
): Promise<TimedBan[]> {
  const found = await Promise.all(chains.map(({ rules }) => rules()));
  return found.flat().flatMap(({ jail, rule }): TimedBan[] => {
    const [, source = "", until] = DROP_RULE.exec(rule) ?? [];
    const address = parseNetwork(source);
    if (address === undefined) return [];
    if (until === undefined) return [{ jail, address, seconds: undefined }];
    const milliseconds = Date.parse(`${until}Z`) - now;
    return milliseconds + 999 < 0
      ? []
      : [{ jail, address, seconds: Math.max(Math.ceil(milliseconds / 1000), 1) }];
  });
}
