/**
 * Bans as members of ipsets, two per jail (IPv4, IPv6), which one rule each drops.
 * A member carries its own timeout, so a ban ends on time even when the agent is dead.
 *
 * Calls run one after the other, so a late `replace` never undoes an earlier `ban`. But no ban waits
 * while chains are looked through or spare sets are filled: bans change the sets that are in force
 * at once, and the spare sets before those are swapped in.
 */
import { inSlices } from "../../../../process/slices.ts";
import { run as runCommand, start as startCommand, type Run, type Start } from "../command.ts";
import {
  refuseUnknown,
  sortOut,
  type Banned,
  type Firewall,
  type FirewallJail,
  type Refused,
  type Repair,
  type TimedBan,
} from "../firewall.ts";
import { createInOrder, type Aside } from "../in-order.ts";
import { createChains, ensureAll, type Chains, type Ensured } from "../iptables/iptables-chains.ts";
import { FAMILIES, type Family } from "../names.ts";
import { addBans, SESSION_AT_MOST } from "./ipset-adding.ts";
import { createFilledSets, isLasting, type FilledSets } from "./ipset-filled-sets.ts";
import { createIpsetSession, type IpsetSession } from "./ipset-session.ts";
import { createSets, deleteLine, setName, setOf, type Sets } from "./ipset-sets.ts";
import { createSpareSets, type SpareSets } from "./ipset-spare-sets.ts";

export interface IpsetOptions {
  /** Chains whose first rules lead to ours. */
  chains: readonly string[];
  run?: Run | undefined;
  start?: Start | undefined;
  /** Bans in force per jail and family, for tests. */
  maxMembers?: number | undefined;
}

/** Without `added`, the ban is over. */
interface Change {
  ban: Banned;
  added?: TimedBan;
}

export function createIpsetFirewall(options: IpsetOptions): Firewall {
  const inOrder = createInOrder();
  const ipset = new IpsetBans(options);
  return {
    kind: "ipset",
    open: (jails, inherited = []) => inOrder((aside) => ipset.open(jails, inherited, aside)),
    replace: (bans) => inOrder((aside) => ipset.replace(bans, aside)),
    ban: (bans) =>
      // A ban is not in force before packets are sent to its set.
      ipset.areLedTo(bans) ? inOrder.brief(() => ipset.ban(bans)) : inOrder(() => ipset.ban(bans)),
    unban: (bans) => inOrder.brief(() => ipset.unban(bans)),
    list: () => inOrder((aside) => aside(() => ipset.list())),
    // It only reads, and takes a process: no ban waits for it.
    count: () => ipset.count(),
    repair: () => inOrder((aside) => ipset.repair(aside)),
    close: () => inOrder(() => ipset.close()),
  };
}

/** What each call does, in its turn. */
class IpsetBans {
  readonly #session: IpsetSession;
  readonly #sets: Sets;
  readonly #spares: SpareSets;
  readonly #chains: readonly (Family & Chains)[];
  readonly #filled: FilledSets;
  #jails: readonly FirewallJail[] = [];
  /** Jails whose sets packets are sent to. */
  #ledTo: ReadonlySet<string> = new Set();
  /** While spare sets are filled: what bans and unbans have changed meanwhile, by set and address. */
  #meanwhile: Map<string, Change> | undefined;

  constructor({ chains, run = runCommand, start = startCommand, maxMembers }: IpsetOptions) {
    this.#session = createIpsetSession(start);
    this.#sets = createSets(run, maxMembers);
    this.#spares = createSpareSets(this.#sets, maxMembers);
    this.#chains = FAMILIES.map((family) => ({ ...family, ...createChains(family, chains, run) }));
    this.#filled = createFilledSets(this.#sets.count);
  }

  areLedTo(bans: readonly Banned[]): boolean {
    return bans.every(({ jail }) => this.#ledTo.has(jail));
  }

  async open(
    jails: readonly FirewallJail[],
    inherited: readonly TimedBan[],
    aside: Aside,
  ): Promise<void> {
    this.#jails = jails;
    await this.#sets.ensure(this.#jailNames());
    // Bans in jails that packets are not led to yet wait for the end of it.
    await aside(async () => {
      // Before the chains lead to the sets: those may still hold another back end's rules.
      await this.#add(sortOut(inherited, jails).known);
      await this.#ensureChains();
      this.#ledTo = new Set(this.#jailNames());
      await this.#sets.destroyOthers(this.#jailNames());
    });
  }

  async replace(bans: readonly TimedBan[], aside: Aside): Promise<Refused[]> {
    const changes = new Map<string, Change>();
    this.#meanwhile = changes;
    try {
      const spares = await aside(() => this.#fillSpares(bans));
      const refusedThen = await this.#finishReplacing(changes, spares.lasting);
      await aside(() => this.#spares.destroySpares(this.#allSets()));
      return [...spares.refused, ...refusedThen];
    } finally {
      this.#meanwhile = undefined;
    }
  }

  async ban(bans: readonly TimedBan[]): Promise<Refused[]> {
    const { known, refused } = sortOut(bans, this.#jails);
    const notAdded = await this.#add(known);
    for (const ban of notAdded.length === 0 ? known : without(known, notAdded)) {
      this.#noteMeanwhile({ ban, added: ban });
    }
    return [...refused, ...notAdded];
  }

  async unban(bans: readonly Banned[]): Promise<void> {
    const { known } = sortOut(bans, this.#jails);
    const lines = known.map((ban) => deleteLine(ban));
    if (lines.length > SESSION_AT_MOST) await this.#sets.restore(lines);
    else await this.#session.run([lines]);
    for (const ban of known) this.#noteMeanwhile({ ban });
    await this.#filled.noteOver(known);
  }

  async list(): Promise<TimedBan[]> {
    return sortOut(await this.#sets.bans(), this.#jails).known;
  }

  count(): Promise<number> {
    return this.#sets.countAll(this.#allSets());
  }

  async repair(aside: Aside): Promise<Repair> {
    const { created, suspects, ensured } = await aside(() => this.#inspectAndRestore());
    // A ban may have ended just then: asked again while nothing changes.
    const emptied: string[] = [];
    for (const set of suspects) if (await this.#filled.isEmptied(set)) emptied.push(set);
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
  }

  close(): Promise<void> {
    this.#session.close();
    return Promise.resolve();
  }

  #jailNames(): string[] {
    return this.#jails.map(({ name }) => name);
  }

  #allSets(): string[] {
    return this.#jailNames().flatMap((jail) => FAMILIES.map(({ family }) => setName(jail, family)));
  }

  #ensureChains(): Promise<Ensured> {
    return ensureAll(this.#chains, this.#jails, (jail, family) => [
      dropRule(setName(jail, family)),
    ]);
  }

  /** Makes sets and chains that are missing. `suspects` are sets that may have been emptied. */
  async #inspectAndRestore() {
    const created = await this.#sets.ensure(this.#jailNames());
    const suspects: string[] = [];
    for (const set of this.#allSets()) {
      if (!created.includes(set) && (await this.#filled.isEmptied(set))) suspects.push(set);
    }
    return { created, suspects, ensured: await this.#ensureChains() };
  }

  #add(bans: readonly TimedBan[]): Promise<Refused[]> {
    for (const ban of bans) this.#filled.note(ban);
    return addBans(bans, { session: this.#session, sets: this.#sets });
  }

  #noteMeanwhile(change: Change): void {
    this.#meanwhile?.set(`${setOf(change.ban)} ${change.ban.address}`, change);
  }

  /** Returns what has no set or the kernel would not take, and the sets that have a lasting ban. */
  async #fillSpares(bans: readonly TimedBan[]) {
    const bySet = new Map<string, TimedBan[]>(this.#allSets().map((set) => [set, []]));
    const lasting = new Set<string>();
    const refused: Refused[] = [];
    await inSlices(bans, (ban) => {
      const set = setOf(ban);
      const members = bySet.get(set);
      members?.push(ban);
      if (!members) refused.push(refuseUnknown(ban));
      else if (isLasting(ban)) lasting.add(set);
    });
    for (const family of FAMILIES) {
      for (const jail of this.#jailNames()) {
        const set = setName(jail, family.family);
        const members = bySet.get(set) ?? [];
        refused.push(...(await this.#spares.fillSpare(set, family, members)));
      }
    }
    return { refused, lasting };
  }

  /** Brings into the spare sets what was changed since they were begun, and swaps them in. */
  async #finishReplacing(changes: ReadonlyMap<string, Change>, lasting: Iterable<string>) {
    const added = [...changes.values()].flatMap((change) => change.added ?? []);
    const removed = [...changes.values()].flatMap((change) => (change.added ? [] : change.ban));
    const refused = await this.#spares.changeSpares(added, removed);
    await this.#spares.swapIn(this.#allSets());
    this.#filled.replace(lasting);
    for (const ban of added) this.#filled.note(ban);
    await this.#filled.noteOver(removed);
    return refused;
  }
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
