/**
 * Bans as members of sets in a table of nftables. A member carries its own timeout, so a ban ends
 * on time even when the agent is dead. Every change is one script for nft: all of it or nothing.
 *
 * Calls run one after the other, so a late `replace` never undoes an earlier `ban`. But no ban waits
 * while the table is looked through or all bans are replaced: bans change the sets that are in
 * force at once, and the sets that take their place before they do.
 */
import { FirewallError, run as runCommand, type Run } from "../command.ts";
import {
  sortOut,
  sortOutInSlices,
  type Banned,
  type Firewall,
  type Repair,
  type TimedBan,
} from "../firewall.ts";
import { createInOrder, type Aside } from "../in-order.ts";
import { FAMILIES } from "../names.ts";
import { forwardedPorts } from "../published-ports.ts";
import { createWitnesses, type Witnesses } from "../witnesses.ts";
import { NftablesLayout } from "./nftables-layout.ts";
import { readBans } from "./nftables-reading.ts";
import { replaceGeneration, type ChangesBeside } from "./nftables-replacement.ts";
import { addLines, deleteLines, elementOf, setFor, TABLE } from "./nftables-table.ts";

export interface NftablesOptions {
  /** Chains of iptables that the rules belong to, see `hooksFor`. */
  chains: readonly string[];
  now: () => number;
  run?: Run | undefined;
}

const keyOf = ({ jail, address }: Banned) => `${jail} ${address}`;

export function createNftablesFirewall(options: NftablesOptions): Firewall {
  const inOrder = createInOrder();
  const table = new NftablesBans(options);
  return {
    kind: "nftables",
    open: (jails, inherited = []) => inOrder(() => table.open(jails, inherited)),
    replace: (bans) => inOrder((aside) => table.replace(bans, aside)),
    ban: (bans) => inOrder.brief(() => table.ban(bans)),
    unban: (bans) => inOrder.brief(() => table.unban(bans)),
    list: () => inOrder((aside) => aside(() => table.list())),
    // It only reads, and that takes long: no ban waits for it.
    count: () => table.count(),
    repair: () => inOrder((aside) => table.repair(aside)),
    close: () => Promise.resolve(),
  };
}

/** What each call does, in its turn. */
class NftablesBans {
  readonly #layout: NftablesLayout;
  readonly #run: Run;
  readonly #now: () => number;
  /** Bans that the sets must have, by the sets' names in the first generation. */
  #witnesses: Witnesses;
  /** While all bans are replaced: what is changed beside, and the witnesses of the next sets. */
  #replacing: { changes: ChangesBeside; witnesses: Witnesses } | undefined;

  constructor({ chains, now, run = runCommand }: NftablesOptions) {
    this.#layout = new NftablesLayout(chains, run);
    this.#run = run;
    this.#now = now;
    this.#witnesses = createWitnesses(now);
  }

  async open(jails: NftablesLayout["jails"], inherited: readonly TimedBan[]): Promise<void> {
    const layout = this.#layout;
    layout.jails = jails;
    const { known } = sortOut(inherited, jails);
    const present = await layout.adopt();
    const renewed = present ? deleteLines(known, layout.generation) : [];
    const lines = [...renewed, ...addLines(known, layout.generation)];
    await layout.layOut(layout.setsWith(known, present?.sets ?? []), lines);
    this.#noteAdded(known);
  }

  async replace(bans: readonly TimedBan[], aside: Aside) {
    const changes: ChangesBeside = new Map();
    const witnesses = createWitnesses(this.#now);
    this.#replacing = { changes, witnesses };
    try {
      const { known, refused } = await aside(() => sortOutInSlices(bans, this.#layout.jails));
      await replaceGeneration(this.#layout, {
        ...{ bans: known, changes, aside },
        onFilled(some) {
          for (const ban of some) {
            if (!changes.has(keyOf(ban))) witnesses.add(setFor(ban, ""), [ban]);
          }
        },
        onSwitched: () => {
          this.#witnesses = witnesses;
          this.#replacing = undefined;
        },
      });
      return refused;
    } finally {
      this.#replacing = undefined;
    }
  }

  async ban(bans: readonly TimedBan[]) {
    const layout = this.#layout;
    const { known, refused } = sortOut(bans, layout.jails);
    if (known.length === 0) return refused;
    const { generation } = layout;
    // A member that is there keeps its timeout (before Linux 6.13): it is made anew.
    const lines = [...deleteLines(known, generation), ...addLines(known, generation)];
    const wanted = layout.setsWith(known);
    if (wanted.size > layout.sets.size) await layout.layOut(wanted, lines);
    else await this.#applyOrLayOut(lines);
    this.#noteAdded(known);
    return refused;
  }

  async unban(bans: readonly Banned[]): Promise<void> {
    const { jails, sets, generation } = this.#layout;
    const known = sortOut(bans, jails).known;
    const present = known.filter((ban) => sets.has(setFor(ban, generation)));
    if (present.length > 0) await this.#applyOrLayOut(deleteLines(present, generation));
    for (const ban of known) {
      this.#witnesses.remove(setFor(ban, ""), ban.address);
      this.#replacing?.witnesses.remove(setFor(ban, ""), ban.address);
      this.#replacing?.changes.set(keyOf(ban), { ban });
    }
  }

  list(): Promise<TimedBan[]> {
    return readBans(this.#run, [...this.#layout.sets]);
  }

  async count(): Promise<number> {
    for (;;) {
      const { sets } = this.#layout;
      try {
        return (await readBans(this.#run, [...sets])).length;
      } catch (error) {
        // The sets may have been replaced meanwhile.
        if (!(error instanceof FirewallError) || sets === this.#layout.sets) throw error;
      }
    }
  }

  async repair(aside: Aside): Promise<Repair> {
    const layout = this.#layout;
    const repaired = await aside(() => layout.drift());
    if (repaired.length > 0) await layout.layOut(layout.sets, []);
    const isSuspect = (await aside(() => this.#emptied())).length > 0;
    // A ban may have ended just then: asked again while nothing changes.
    const emptied = isSuspect ? await this.#emptied() : [];
    repaired.push(...emptied.map((set) => `nftables: set ${set} was emptied`));
    const ineffective = await aside(() => this.#bypasses());
    return { repaired, bansLost: emptied.length > 0, ineffective };
  }

  async #applyOrLayOut(lines: readonly string[]): Promise<void> {
    try {
      await this.#layout.apply(lines);
    } catch (error) {
      if (!(error instanceof FirewallError)) throw error;
      await this.#layout.layOut(this.#layout.sets, lines); // somebody has removed a set
    }
  }

  #noteAdded(bans: readonly TimedBan[]): void {
    for (const ban of bans) {
      this.#witnesses.add(setFor(ban, ""), [ban]);
      this.#replacing?.witnesses.add(setFor(ban, ""), [ban]);
      this.#replacing?.changes.set(keyOf(ban), { ban, added: ban });
    }
  }

  /** Sets that lack a ban that they must have. */
  async #emptied(): Promise<string[]> {
    const sets: string[] = [];
    for (const witness of this.#witnesses.called()) {
      if (await this.#isMissing(witness)) sets.push(setFor(witness, this.#layout.generation));
    }
    return sets;
  }

  async #isMissing(ban: Banned): Promise<boolean> {
    const set = setFor(ban, this.#layout.generation);
    try {
      // Checked only, not done: nft has no other question that does not read the whole set.
      const script = `delete element ${TABLE} ${set} { ${elementOf(ban.address)} }\n`;
      await this.#run("nft", ["-c", "-f", "-"], script);
      return false;
    } catch (error) {
      if (!(error instanceof FirewallError)) throw error;
      return true;
    }
  }

  /** Ways for packets to jails that lead past the hooks. */
  async #bypasses(): Promise<string[]> {
    const { hooks, jails } = this.#layout;
    if (hooks.includes("forward")) return [];
    const families = FAMILIES.map(({ iptables }) => forwardedPorts(iptables, jails, this.#run));
    return (await Promise.all(families)).flat().map((reason) => `nftables: ${reason}`);
  }
}
