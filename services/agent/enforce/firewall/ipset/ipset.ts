/**
 * Bans as members of ipsets, two per jail (IPv4, IPv6), which one rule each drops.
 * A member carries its own timeout, so a ban ends on time even when the agent is dead.
 *
 * Calls run one after the other, so a late `replace` never undoes an earlier `ban`.
 */
import { familyOf } from "../../../../wire/address.ts";
import {
  FirewallError,
  run as runCommand,
  start as startCommand,
  type Run,
  type Start,
} from "../command.ts";
import {
  sortOut,
  type Firewall,
  type FirewallJail,
  type Refused,
  type TimedBan,
} from "../firewall.ts";
import { createInOrder } from "../in-order.ts";
import { createIpsetSession } from "./ipset-session.ts";
import { addLine, createSets, setName, setOf } from "./ipset-sets.ts";
import { createChains, type Ensured } from "../iptables/iptables-chains.ts";
import { checked, FAMILIES } from "../names.ts";

export interface IpsetOptions {
  /** Chains whose first rules lead to ours. */
  chains: readonly string[];
  run?: Run | undefined;
  start?: Start | undefined;
  /** Bans in force per jail and family, for tests. */
  maxMembers?: number | undefined;
}

/** From so many changes on, one `ipset restore` is cheaper than the session. */
const SESSION_AT_MOST = 256;

export function createIpsetFirewall(options: IpsetOptions): Firewall {
  const { chains: parents, run = runCommand, start = startCommand } = options;
  const session = createIpsetSession(start);
  const sets = createSets(run, options.maxMembers);
  const chains = FAMILIES.map((each) => ({ ...each, ...createChains(each, parents, run) }));
  const inOrder = createInOrder();
  let jails: readonly FirewallJail[] = [];
  /** Sets that hold something that does not run out soon, to notice one that was emptied. */
  const filled = new Set<string>();

  const jailNames = () => jails.map(({ name }) => name);
  const allSets = () =>
    jailNames().flatMap((jail) => FAMILIES.map(({ family }) => setName(jail, family)));

  async function ensureChains(): Promise<Ensured> {
    const [repaired, ineffective]: [string[], string[]] = [[], []];
    for (const { family, ensure } of chains) {
      const rulesOf = (jail: string) => [dropRule(setName(jail, family))];
      const ensured = await ensure(jails, rulesOf);
      repaired.push(...ensured.repaired);
      ineffective.push(...ensured.ineffective);
    }
    return { repaired, ineffective };
  }

  async function isEmptied(set: string): Promise<boolean> {
    return filled.has(set) && (await sets.count(set)) === 0;
  }

  async function banInSession(bans: readonly TimedBan[]): Promise<Refused[]> {
    const answers = await session.run(
      bans.map((ban) => [addLine(ban), `test ${setOf(ban)} ${checked(ban.address)}`]),
    );
    return bans.flatMap(({ jail, address }, index) => {
      const said = answers[index] ?? "";
      return / is in set /.test(said) && !/NOT in set/.test(said)
        ? []
        : [{ jail, address, reason: said.replace(/^ipset v\S+: /, "") }];
    });
  }

  async function add(bans: readonly TimedBan[]): Promise<Refused[]> {
    for (const ban of bans) if (isLasting(ban)) filled.add(setOf(ban));
    if (bans.length <= SESSION_AT_MOST) return banInSession(bans);
    try {
      await sets.restore(bans.map((ban) => addLine(ban)));
      return [];
    } catch (error) {
      if (!(error instanceof FirewallError)) throw error;
      // One line was refused and those after it were not read: ask for each.
      return banInSession(bans);
    }
  }

  return {
    kind: "ipset",

    open: (wanted, inherited = []) =>
      inOrder(async () => {
        jails = wanted;
        await sets.ensure(jailNames());
        // Before the chains lead to the sets: those may still hold another back end's rules.
        await add(sortOut(inherited, jails).known);
        await ensureChains();
        await sets.destroyOthers(jailNames());
      }),

    replace: (bans) =>
      inOrder(async () => {
        const { refused } = sortOut(bans, jails);
        for (const jail of jailNames()) {
          for (const family of FAMILIES) {
            const isHere = (ban: TimedBan) =>
              ban.jail === jail && familyOf(ban.address) === family.family;
            const those = bans.filter(isHere);
            refused.push(...(await sets.fill(jail, family, those)));
            const set = setName(jail, family.family);
            if (those.some(isLasting)) filled.add(set);
            else filled.delete(set);
          }
        }
        return refused;
      }),

    ban: (bans) =>
      inOrder(async () => {
        const { known, refused } = sortOut(bans, jails);
        return [...refused, ...(await add(known))];
      }),

    unban: (bans) =>
      inOrder(async () => {
        const { known } = sortOut(bans, jails);
        const lines = known.map((ban) => `del ${setOf(ban)} ${checked(ban.address)} -exist`);
        if (lines.length > SESSION_AT_MOST) await sets.restore(lines);
        else await session.run(lines.map((line) => [line]));
        for (const set of new Set(known.map(setOf))) {
          if ((await sets.count(set)) === 0) filled.delete(set);
        }
      }),

    list: () => inOrder(async () => sortOut(await sets.bans(), jails).known),

    count: () =>
      inOrder(async () => {
        let sum = 0;
        for (const set of allSets()) sum += await sets.count(set);
        return sum;
      }),

    repair: () =>
      inOrder(async () => {
        const created = await sets.ensure(jailNames());
        const emptied: string[] = [];
        for (const set of allSets()) {
          if (!created.includes(set) && (await isEmptied(set))) emptied.push(set);
        }
        const ensured = await ensureChains();
        const repaired = [
          ...created.map((set) => `ipset: set ${set} was missing`),
          ...emptied.map((set) => `ipset: set ${set} was emptied`),
          ...ensured.repaired,
        ];
        return {
          repaired,
          bansLost: created.length + emptied.length > 0,
          ineffective: ensured.ineffective,
        };
      }),

    close: () =>
      inOrder(() => {
        session.close();
        return Promise.resolve();
      }),
  };
}

/** As `iptables -S` spells it. */
function dropRule(set: string): string {
  return `-m set --match-set ${set} src -j DROP`;
}

/** Does not run out within the next minute. */
function isLasting({ seconds }: TimedBan): boolean {
  return seconds === undefined || seconds > 60;
}
