/**
 * Bans as members of ipsets, two per jail (IPv4, IPv6), which one rule each drops.
 * A member carries its own timeout, so a ban ends on time even when the agent is dead.
 *
 * Calls run one after the other, so a late `replace` never undoes an earlier `ban`. But no ban waits
 * while chains are looked through or spare sets are filled: bans change the sets that are in force
 * at once, and the spare sets before those are swapped in.
 */
import { inSlices } from "../../../../process/slices.ts";
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
import { addLine, createSets, deleteLine, setName, setOf } from "./ipset-sets.ts";
import { createChains, type Ensured } from "../iptables/iptables-chains.ts";
import { checked, FAMILIES } from "../names.ts";
import { createWitnesses } from "../witnesses.ts";

export interface IpsetOptions {
  /** Chains whose first rules lead to ours. */
  chains: readonly string[];
  run?: Run | undefined;
  start?: Start | undefined;
  /** Bans in force per jail and family, for tests. */
  maxMembers?: number | undefined;
}

/** Above this number of changes, one `ipset restore` is cheaper than the session. */
const SESSION_AT_MOST = 256;
/** So few bans are asked for one by one, which also finds out which of them the kernel refuses. */
const ASKED_AT_MOST = 16;

export function createIpsetFirewall(options: IpsetOptions): Firewall {
  const { chains: parents, run = runCommand, start = startCommand } = options;
  const session = createIpsetSession(start);
  const sets = createSets(run, options.maxMembers);
  const chains = FAMILIES.map((each) => ({ ...each, ...createChains(each, parents, run) }));
  const inOrder = createInOrder();
  let jails: readonly FirewallJail[] = [];
  /** Jails whose sets packets are sent to. */
  let ledTo: ReadonlySet<string> = new Set();
  /** While spare sets are filled: what bans and unbans have changed meanwhile. */
  let meanwhile: Map<string, Change> | undefined;
  /** Sets that hold something that does not run out soon, to notice one that was emptied. */
  const filled = new Set<string>();
  const witnesses = createWitnesses(Date.now);

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

  function noteFilled(ban: TimedBan): void {
    if (!isLasting(ban)) return;
    filled.add(setOf(ban));
    witnesses.add(setOf(ban), [ban]);
  }

  async function isEmptied(set: string): Promise<boolean> {
    return filled.has(set) && (await sets.count(set)) === 0;
  }

  /** Makes sets and chains that are missing. `suspects` are sets that may have been emptied. */
  async function inspectAndRestore() {
    const created = await sets.ensure(jailNames());
    const suspects: string[] = [];
    for (const set of allSets()) {
      if (!created.includes(set) && (await isEmptied(set))) suspects.push(set);
    }
    return { created, suspects, ensured: await ensureChains() };
  }

  /** Whether the kernel has taken all of them. */
  async function banTogether(bans: readonly TimedBan[]): Promise<boolean> {
    if (bans.length <= ASKED_AT_MOST) return false;
    const lines = bans.map((ban) => addLine(ban));
    if (bans.length <= SESSION_AT_MOST) return (await session.run([lines])).join("") === "";
    try {
      await sets.restore(lines);
      return true;
    } catch (error) {
      if (!(error instanceof FirewallError)) throw error;
      return false; // One line was refused, and those after it were not read.
    }
  }

  async function banOneByOne(bans: readonly TimedBan[]): Promise<Refused[]> {
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
    for (const ban of bans) noteFilled(ban);
    return (await banTogether(bans)) ? [] : banOneByOne(bans);
  }

  function noteMeanwhile(bans: readonly Banned[], added: readonly TimedBan[]): void {
    for (const ban of bans) meanwhile?.set(`${setOf(ban)} ${ban.address}`, { ban });
    for (const ban of added) meanwhile?.set(`${setOf(ban)} ${ban.address}`, { ban, added: ban });
  }

  /** Returns what the kernel would not take, and the sets that have a lasting ban. */
  async function fillSpares(bans: readonly TimedBan[]) {
    const bySet = new Map<string, TimedBan[]>(allSets().map((set) => [set, []]));
    const lasting = new Set<string>();
    await inSlices(bans, (ban) => {
      const set = setOf(ban);
      bySet.get(set)?.push(ban);
      if (isLasting(ban)) lasting.add(set);
    });
    const refused: Refused[] = [];
    for (const family of FAMILIES) {
      for (const jail of jailNames()) {
        const set = setName(jail, family.family);
        const members = bySet.get(set) ?? [];
        refused.push(...(await sets.fillSpare(set, family, members)));
      }
    }
    return { refused, lasting };
  }

  /** After these bans are over. A set is counted only where no other ban is known to be in it. */
  async function noteOver(bans: readonly Banned[]): Promise<void> {
    for (const ban of bans) witnesses.remove(setOf(ban), ban.address);
    const standing = new Set(witnesses.called().map(({ set }) => set));
    for (const set of new Set(bans.map(setOf))) {
      if (!standing.has(set) && (await sets.count(set)) === 0) filled.delete(set);
    }
  }

  /** Brings into the spare sets what was changed since they were begun, and swaps them in. */
  async function finishReplacing(changes: ReadonlyMap<string, Change>, lasting: Set<string>) {
    const added = [...changes.values()].flatMap((change) => change.added ?? []);
    const removed = [...changes.values()].flatMap((change) => (change.added ? [] : change.ban));
    const refused = await sets.changeSpares(added, removed);
    await sets.swapIn(allSets());
    filled.clear();
    witnesses.clear();
    for (const set of lasting) filled.add(set);
    for (const ban of added) noteFilled(ban);
    await noteOver(removed);
    return refused;
  }

  return {
    kind: "ipset",

    open: (wanted, inherited = []) =>
      inOrder(async (aside) => {
        jails = wanted;
        await sets.ensure(jailNames());
        // Bans in jails that packets are not led to yet wait for the end of it.
        await aside(async () => {
          // Before the chains lead to the sets: those may still hold another back end's rules.
          await add(sortOut(inherited, jails).known);
          await ensureChains();
          ledTo = new Set(jailNames());
          await sets.destroyOthers(jailNames());
        });
      }),

    replace: (bans) =>
      inOrder(async (aside) => {
        const { known, refused } = sortOut(bans, jails);
        const changes = new Map<string, Change>();
        meanwhile = changes;
        try {
          const spares = await aside(() => fillSpares(known));
          const refusedThen = await finishReplacing(changes, spares.lasting);
          await aside(() => sets.destroySpares(allSets()));
          return [...refused, ...spares.refused, ...refusedThen];
        } finally {
          meanwhile = undefined;
        }
      }),

    ban(bans) {
      const doBan = async () => {
        const { known, refused } = sortOut(bans, jails);
        const notAdded = await add(known);
        noteMeanwhile([], notAdded.length === 0 ? known : without(known, notAdded));
        return [...refused, ...notAdded];
      };
      // A ban is not in force before packets are sent to its set.
      return bans.every(({ jail }) => ledTo.has(jail)) ? inOrder.brief(doBan) : inOrder(doBan);
    },

    unban: (bans) =>
      inOrder.brief(async () => {
        const { known } = sortOut(bans, jails);
        const lines = known.map((ban) => deleteLine(ban));
        if (lines.length > SESSION_AT_MOST) await sets.restore(lines);
        else await session.run([lines]);
        noteMeanwhile(known, []);
        await noteOver(known);
      }),

    list: () => inOrder(async () => sortOut(await sets.bans(), jails).known),

    count: () =>
      inOrder.brief(async () => {
        let sum = 0;
        for (const set of allSets()) sum += await sets.count(set);
        return sum;
      }),

    repair: () =>
      inOrder(async (aside) => {
        const { created, suspects, ensured } = await aside(inspectAndRestore);
        // A ban may have ended just then: asked again while nothing changes.
        const emptied: string[] = [];
        for (const set of suspects) if (await isEmptied(set)) emptied.push(set);
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

type Banned = Pick<TimedBan, "jail" | "address">;

/** Without `added`, the ban is over. */
interface Change {
  ban: Banned;
  added?: TimedBan;
}

function without(bans: readonly TimedBan[], refused: readonly Refused[]): TimedBan[] {
  const spelled = ({ jail, address }: Banned) => `${jail} ${address}`;
  const gone = new Set(refused.map(spelled));
  return bans.filter((ban) => !gone.has(spelled(ban)));
}

/** As `iptables -S` spells it. */
function dropRule(set: string): string {
  return `-m set --match-set ${set} src -j DROP`;
}

/** Does not run out within the next minute. */
function isLasting({ seconds }: TimedBan): boolean {
  return seconds === undefined || seconds > 60;
}
