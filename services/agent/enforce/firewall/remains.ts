/** What the back ends leave in the kernel, whichever of them was in use, and how it is removed. */
import { FirewallError, run as runCommand, type Run } from "./command.ts";
import { isMissing } from "./firewall-check.ts";
import type { FirewallKind, TimedBan } from "./firewall.ts";
import { createSets } from "./ipset/ipset-sets.ts";
import { createChains, otherChains, type Chains } from "./iptables/iptables-chains.ts";
import { bansIn } from "./iptables/iptables-drop-rules.ts";
import { FAMILIES } from "./names.ts";
import { readBans, readTable } from "./nftables/nftables-reading.ts";
import { TABLE } from "./nftables/nftables-table.ts";

export interface Remains {
  /** The back end that keeps its bans in it, or had them there until `iptables` became another program. */
  of: FirewallKind | "iptables of before";
  /** Those that need it besides. */
  neededBy: readonly FirewallKind[];
  bans: () => Promise<TimedBan[]>;
  remove: () => Promise<void>;
}

/** In the order in which they can be removed: rules before the sets that they name. */
export function createRemains(now: () => number, run: Run = runCommand): Remains[] {
  const chains = FAMILIES.map((family) => createChains(family, [], run));
  const sets = createSets(run);
  const others = async (): Promise<Chains[]> => {
    const found = await Promise.all(FAMILIES.map((family) => otherChains(family, run)));
    return found.flatMap((each) => each ?? []);
  };
  return [
    {
      of: "iptables",
      neededBy: ["ipset"],
      bans: () => bansIn(chains, now()),
      async remove() {
        for (const each of chains) await each.remove();
      },
    },
    {
      of: "iptables of before",
      neededBy: [],
      bans: async () => bansIn(await others(), now()),
      async remove() {
        for (const each of await others()) await each.remove();
      },
    },
    {
      of: "ipset",
      neededBy: [],
      bans: () => sets.bans(),
      remove: () => sets.destroyOthers([]),
    },
    {
      of: "nftables",
      neededBy: [],
      bans: async () => readBans(run, (await readTable(run))?.sets ?? []),
      async remove() {
        if (await readTable(run)) await run("nft", ["-f", "-"], `delete table ${TABLE}\n`);
      },
    },
  ];
}

/** The bans in it; undefined: this machine has no such firewall, as `say` is told where it has the program. */
export async function readRemains(
  { of, bans }: Remains,
  say: (why: string) => void = () => {},
): Promise<TimedBan[] | undefined> {
  try {
    return await bans();
  } catch (error) {
    if (!(error instanceof FirewallError)) throw error;
    if (!isMissing(error)) say(`${of}: ${error.message}`);
    return undefined;
  }
}

/** Removes everything of fleetban, and with it every ban. Returns what could not be looked at. */
export async function removeEverything(remains: readonly Remains[]): Promise<string[]> {
  const unread: string[] = [];
  for (const each of remains) {
    const bans = await readRemains(each, (why) => unread.push(why));
    if (bans) await each.remove();
  }
  return unread;
}
