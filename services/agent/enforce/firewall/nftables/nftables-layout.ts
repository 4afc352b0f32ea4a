/**
 * fleetban's table in the kernel: its chains, rules and sets, without the members of the sets.
 *
 * Invariant: `sets` are those that packets are compared with. Sets that are filled or emptied while
 * all bans are replaced are aside: they are there, and no rule leads to them.
 */
import { isNetwork } from "../../../../wire/address.ts";
import { FirewallError, type Run } from "../command.ts";
import { portMatch, type PortMatch } from "../connection-tracking.ts";
import type { Banned, FirewallJail } from "../firewall.ts";
import { readTable, type Present } from "./nftables-reading.ts";
import {
  hooksFor,
  jailChain,
  layoutScript,
  partsOfSet,
  plainSets,
  setFor,
  TABLE,
  type Generation,
} from "./nftables-table.ts";

export class NftablesLayout {
  jails: readonly FirewallJail[] = [];
  /** Those that rules drop the members of: two for every jail, more for its networks. */
  sets: ReadonlySet<string> = new Set();
  /** Of these sets. */
  generation: Generation = "";
  /** The hooks that lead to the jails. */
  readonly hooks: readonly string[];
  readonly #chains: readonly string[];
  readonly #run: Run;
  /** Sets that are filled or emptied. */
  #aside: ReadonlySet<string> = new Set();
  /** As the table was read back after it was made. */
  #installed: Present | undefined;
  #match: PortMatch = "as they arrive";

  constructor(chains: readonly string[], run: Run) {
    this.#chains = chains;
    this.#run = run;
    this.hooks = hooksFor(chains);
  }

  apply(lines: readonly string[]): Promise<string> {
    return this.#run("nft", ["-f", "-"], `${lines.join("\n")}\n`);
  }

  /** Makes everything but the members, with `lines` in the same moment. */
  async layOut(
    wanted: ReadonlySet<string>,
    lines: readonly string[],
    aside: ReadonlySet<string> = this.#aside,
  ): Promise<void> {
    const { hooks, jails } = this;
    const present = await readTable(this.#run);
    const wantedChains = [...hooks, ...jails.map(({ name }) => jailChain(name))];
    const strange = {
      chains: (present?.chains ?? []).filter((chain) => !wantedChains.includes(chain)),
      sets: (present?.sets ?? []).filter((set) => !wanted.has(set) && !aside.has(set)),
    };
    this.#match = await portMatch(this.#chains, this.#run);
    const layout = { hooks, jails, sets: wanted, aside, match: this.#match };
    await this.apply([...layoutScript(layout, strange), ...lines]);
    this.sets = wanted;
    this.#aside = aside;
    this.#installed = await readTable(this.#run);
    const missing = [...wantedChains, ...wanted, ...aside].find(
      (name) => !this.#installed?.chains.includes(name) && !this.#installed?.sets.includes(name),
    );
    if (missing) throw new FirewallError(`nftables: ${missing} was made, but is not in force`);
  }

  /** As somebody has left it, or an agent before this one. */
  async adopt(): Promise<Present | undefined> {
    const present = await readTable(this.#run);
    this.generation = present?.generation ?? "";
    this.#aside = new Set();
    return present;
  }

  /** The sets of a generation that jails and bans need. */
  setsFor(bans: readonly Banned[], generation: Generation = this.generation): Set<string> {
    const all = new Set(this.jails.flatMap(({ name }) => plainSets(name, generation)));
    for (const ban of bans) if (isNetwork(ban.address)) all.add(setFor(ban, generation));
    return all;
  }

  /** The same with those of `kept` whose jail is still there. */
  setsWith(bans: readonly Banned[], kept: Iterable<string> = this.sets): Set<string> {
    const all = this.setsFor(bans);
    for (const set of kept) {
      const parts = partsOfSet(set);
      const isOfJail = this.jails.some(({ name }) => name === parts?.jail);
      if (isOfJail && parts?.generation === this.generation) all.add(set);
    }
    return all;
  }

  /** Removes the sets that are aside. */
  async removeAside(): Promise<void> {
    const gone = this.#aside;
    if (gone.size > 0) await this.apply([...gone].map((set) => `delete set ${TABLE} ${set}`));
    this.#aside = new Set();
    if (!this.#installed) return;
    const sets = this.#installed.sets.filter((set) => !gone.has(set));
    this.#installed = { ...this.#installed, sets };
  }

  /** What is not as it was read back after it was made, in words. */
  async drift(): Promise<string[]> {
    const installed = this.#installed;
    if (!installed) return [];
    const present = await readTable(this.#run);
    if (!present) return [`nftables: table ${TABLE} was missing`];
    const isRewritten = (await portMatch(this.#chains, this.#run)) !== this.#match;
    return [
      ...(present.isDormant ? [`nftables: table ${TABLE} was dormant`] : []),
      ...installed.sets
        .filter((set) => !present.sets.includes(set))
        .map((set) => `nftables: set ${set} was missing`),
      ...[...installed.spelled]
        .filter(([chain, rules]) => present.spelled.get(chain) !== rules)
        .map(([chain]) => `nftables: rules of ${chain} were changed`),
      ...(isRewritten
        ? ["nftables: connections are tracked now, so that ports may be rewritten"]
        : []),
    ];
  }
}
