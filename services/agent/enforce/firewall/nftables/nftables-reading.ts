/** What the kernel has of fleetban's table, as `nft -j` tells it (libnftables-json(5)). */
import * as z from "zod";
import { inSlices } from "../../../../process/slices.ts";
import { parseNetwork, type Address } from "../../../../wire/address.ts";
import type { Run } from "../command.ts";
import type { TimedBan } from "../firewall.ts";
import { partsOfSet, TABLE, type Generation } from "./nftables-table.ts";

const object = z.object({ family: z.string(), name: z.string() });
const listing = z.object({
  nftables: z.array(
    z.object({
      table: object.extend({ flags: z.unknown().optional() }).optional(),
      set: object.extend({ table: z.string() }).optional(),
      chain: object.extend({ table: z.string() }).catchall(z.unknown()).optional(),
      rule: z
        .object({ family: z.string(), table: z.string(), chain: z.string(), expr: z.unknown() })
        .optional(),
    }),
  ),
});

export interface Present {
  chains: string[];
  sets: string[];
  /** Of the sets that rules lead to. */
  generation: Generation;
  /** Somebody has switched off the hooks of the table. */
  isDormant: boolean;
  /** The rules of a chain and its hook, in a spelling that can be compared. */
  spelled: ReadonlyMap<string, string>;
}

const isOurs = ({ family, table }: { family: string; table: string }) =>
  `${family} ${table}` === TABLE;

/**
 * undefined: there is no such table. Without members: nft reads these, too, when it is asked
 * for one table, but not when it is asked tersely for all of them.
 */
export async function readTable(run: Run): Promise<Present | undefined> {
  const { nftables } = listing.parse(JSON.parse(await run("nft", ["-j", "-t", "list", "ruleset"])));
  const found = nftables.find(
    ({ table }) => table && isOurs({ family: table.family, table: table.name }),
  )?.table;
  if (!found) return undefined;
  const chains = nftables.flatMap(({ chain }) => (chain && isOurs(chain) ? [chain] : []));
  const rules = nftables.flatMap(({ rule }) => (rule && isOurs(rule) ? [rule] : []));
  const sets = nftables.flatMap(({ set }) => (set && isOurs(set) ? [set.name] : []));
  const spelled = chains.map((chain): [string, string] => {
    const own = rules.filter((rule) => rule.chain === chain.name).map(({ expr }) => expr);
    return [chain.name, JSON.stringify([chain["hook"], chain["prio"], chain["policy"], own])];
  });
  // nft 1.0.6 spells the flag wrongly; fleetban's table has none.
  const isDormant = found.flags !== undefined;
  const generation = generationIn(sets, spelled);
  return {
    ...{ chains: chains.map(({ name }) => name), sets, generation },
    ...{ isDormant, spelled: new Map(spelled) },
  };
}

/** Where somebody has removed all rules, the generation of the sets that are there. */
function generationIn(sets: readonly string[], spelled: readonly [string, string][]): Generation {
  const named = sets.filter((set) => isNamed(set, spelled));
  const generations = (named.length > 0 ? named : sets).map((set) => partsOfSet(set)?.generation);
  return generations.length > 0 && generations.every((found) => found === ".b") ? ".b" : "";
}

const isNamed = (set: string, spelled: readonly [string, string][]) =>
  spelled.some(([, rules]) => rules.includes(`"@${set}"`));

/** The members of these sets. */
export async function readBans(run: Run, sets: readonly string[]): Promise<TimedBan[]> {
  const bans: TimedBan[] = [];
  for (const set of sets) {
    const parts = partsOfSet(set);
    if (!parts) continue;
    const text = await run("nft", ["-j", "list", "set", ...TABLE.split(" "), set]);
    await inSlices(elementsIn(text), ([value, seconds]) => {
      const address: Address | undefined = parseNetwork(`${value}/${parts.prefix}`);
      if (address !== undefined) bans.push({ jail: parts.jail, address, seconds });
    });
  }
  return bans;
}

/**
 * The elements of the one set in `text`, each with its seconds left. They are read one by one, as
 * JSON.parse would keep everything else waiting while it reads 100,000 of them. An element of
 * fleetban's is a string, or an object that holds no other.
 */
function* elementsIn(text: string): Iterable<[value: string, seconds: number | undefined]> {
  const array = /"elem":\s*\[/.exec(text);
  if (!array) return;
  const from = array.index + array[0].length;
  const elements = text.slice(from, text.indexOf("]", from));
  for (const [, object, string] of elements.matchAll(ELEMENT)) {
    const value = string ?? VALUE.exec(object ?? "")?.[1];
    const expires = EXPIRES.exec(object ?? "")?.[1];
    if (value !== undefined) yield [value, expires === undefined ? undefined : Number(expires)];
  }
}

const ELEMENT = /\{\s*"elem":\s*\{([^}]*)\}\s*\}|"([^"]*)"/g;
const VALUE = /"val":\s*"([^"]*)"/;
const EXPIRES = /"expires":\s*(\d+)/;
