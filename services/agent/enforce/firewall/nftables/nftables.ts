/**
 * Bans as members of sets in a table of nftables. A member carries its own timeout, so a ban ends
 * on time even when the agent is dead. Every change is one script for nft: all of it or nothing.
 */
import { isNetwork } from "../../../../wire/address.ts";
import { FirewallError, run as runCommand, type Run } from "../command.ts";
import { portMatch, type PortMatch } from "../connection-tracking.ts";
import { sortOut, type Firewall, type FirewallJail, type TimedBan } from "../firewall.ts";
import { FAMILIES } from "../names.ts";
import { forwardedPorts } from "../published-ports.ts";
import { createInOrder } from "../in-order.ts";
import { readBans, readTable, type Present } from "./nftables-reading.ts";
import {
  addLines,
  deleteLines,
  elementOf,
  hooksFor,
  jailChain,
  layoutScript,
  partsOfSet,
  plainSets,
  setFor,
  TABLE,
} from "./nftables-table.ts";
import { createWitnesses } from "../witnesses.ts";

export interface NftablesOptions {
  /** Chains of iptables that the rules belong to, see `hooksFor`. */
  chains: readonly string[];
  now: () => number;
  run?: Run | undefined;
}

export function createNftablesFirewall(options: NftablesOptions): Firewall {
  const { chains, now, run = runCommand } = options;
  const hooks = hooksFor(chains);
  const inOrder = createInOrder();
  const witnesses = createWitnesses(now);
  let jails: readonly FirewallJail[] = [];
  /** Those in the kernel: two for every jail, more for its networks. */
  let sets: ReadonlySet<string> = new Set();
  /** As it was read back after it was made. */
  let installed: Present | undefined;
  let match: PortMatch = "as they arrive";

  const apply = (lines: readonly string[]) => run("nft", ["-f", "-"], `${lines.join("\n")}\n`);

  /** Makes everything but the members, with `lines` in the same moment. */
  async function layOut(wanted: ReadonlySet<string>, lines: readonly string[]): Promise<void> {
    const present = await readTable(run);
    const wantedChains = [...hooks, ...jails.map(({ name }) => jailChain(name))];
    const strange = {
      chains: (present?.chains ?? []).filter((chain) => !wantedChains.includes(chain)),
      sets: (present?.sets ?? []).filter((set) => !wanted.has(set)),
    };
    match = await portMatch(chains, run);
    await apply([...layoutScript({ hooks, jails, sets: wanted, match }, strange), ...lines]);
    sets = wanted;
    installed = await readTable(run);
    const missing = [...wantedChains, ...wanted].find(
      (name) => !installed?.chains.includes(name) && !installed?.sets.includes(name),
    );
    if (missing) throw new FirewallError(`nftables: ${missing} was made, but is not in force`);
  }

  /** The sets that jails and bans need, with those of `kept` whose jail is still there. */
  function setsFor(bans: readonly TimedBan[], kept: Iterable<string> = []): Set<string> {
    const all = new Set(jails.flatMap(({ name }) => plainSets(name)));
    for (const set of kept) {
      if (jails.some(({ name }) => name === partsOfSet(set)?.jail)) all.add(set);
    }
    for (const ban of bans) if (isNetwork(ban.address)) all.add(setFor(ban));
    return all;
  }

  function witness(bans: readonly TimedBan[]): void {
    for (const ban of bans) witnesses.add(setFor(ban), [ban]);
  }

  async function add(known: readonly TimedBan[]): Promise<void> {
    if (known.length === 0) return;
    // A member that is there keeps its timeout (before Linux 6.13): it is made anew.
    const lines = [...deleteLines(known), ...addLines(known)];
    const wanted = setsFor(known, sets);
    if (wanted.size > sets.size) await layOut(wanted, lines);
    else {
      try {
        await apply(lines);
      } catch (error) {
        if (!(error instanceof FirewallError)) throw error;
        await layOut(wanted, lines); // somebody has removed a set
      }
    }
    witness(known);
  }

  async function isMissing({ jail, address }: { jail: string; address: TimedBan["address"] }) {
    const set = setFor({ jail, address });
    try {
      // Checked only, not done: nft has no other question that does not read the whole set.
      const script = `delete element ${TABLE} ${set} { ${elementOf(address)} }\n`;
      await run("nft", ["-c", "-f", "-"], script);
      return false;
    } catch (error) {
      if (!(error instanceof FirewallError)) throw error;
      return true;
    }
  }

  return {
    kind: "nftables",

    open: (wanted, inherited = []) =>
      inOrder(async () => {
        jails = wanted;
        const { known } = sortOut(inherited, jails);
        const present = await readTable(run);
        const renewed = present ? deleteLines(known) : [];
        await layOut(setsFor(known, present?.sets), [...renewed, ...addLines(known)]);
        witness(known);
      }),

    replace: (bans) =>
      inOrder(async () => {
        const { known, refused } = sortOut(bans, jails);
        const wanted = setsFor(known);
        const flush = [...wanted].map((set) => `flush set ${TABLE} ${set}`);
        await layOut(wanted, [...flush, ...addLines(known)]);
        witnesses.clear();
        witness(known);
        return refused;
      }),

    ban: (bans) =>
      inOrder(async () => {
        const { known, refused } = sortOut(bans, jails);
        await add(known);
        return refused;
      }),

    unban: (bans) =>
      inOrder(async () => {
        const known = sortOut(bans, jails).known.filter((ban) => sets.has(setFor(ban)));
        if (known.length === 0) return;
        try {
          await apply(deleteLines(known));
        } catch (error) {
          if (!(error instanceof FirewallError)) throw error;
          await layOut(sets, deleteLines(known));
        }
        for (const ban of known) witnesses.remove(setFor(ban), ban.address);
      }),

    list: () => inOrder(() => readBans(run, [...sets])),

    // It only reads, and that takes long: no ban waits for it.
    count: async () => (await readBans(run, [...sets])).length,

    repair: () =>
      inOrder(async () => {
        const repaired = drift(await readTable(run));
        if ((await portMatch(chains, run)) !== match) {
          repaired.push("nftables: connections are tracked now, so that ports may be rewritten");
        }
        if (repaired.length > 0) await layOut(sets, []);
        const emptied: string[] = [];
        for (const called of witnesses.called()) {
          if (await isMissing(called)) emptied.push(called.set);
        }
        repaired.push(...emptied.map((set) => `nftables: set ${set} was emptied`));
        return { repaired, bansLost: emptied.length > 0, ineffective: await bypasses() };
      }),

    close: () => Promise.resolve(),
  };

  /** Ways for packets to jails that lead past the hooks. */
  async function bypasses(): Promise<string[]> {
    if (hooks.includes("forward")) return [];
    const families = FAMILIES.map(({ iptables }) => forwardedPorts(iptables, jails, run));
    return (await Promise.all(families)).flat().map((reason) => `nftables: ${reason}`);
  }

  /** What is not as it was read back after it was made, in words. */
  function drift(present: Present | undefined): string[] {
    if (!installed) return [];
    if (!present) return [`nftables: table ${TABLE} was missing`];
    return [
      ...(present.isDormant ? [`nftables: table ${TABLE} was dormant`] : []),
      ...installed.sets
        .filter((set) => !present.sets.includes(set))
        .map((set) => `nftables: set ${set} was missing`),
      ...[...installed.spelled]
        .filter(([chain, rules]) => present.spelled.get(chain) !== rules)
        .map(([chain]) => `nftables: rules of ${chain} were changed`),
    ];
  }
}
