/** A list as `ban import` and `allow import` take it: read, checked as a whole, each entry once. */
import type { Readable } from "node:stream";
import type * as z from "zod";
import { EXIT, PlainError } from "../../process/exit.ts";
import { familyOf, isNetwork, prefixOf, type Address } from "../../wire/address.ts";
import { UsageError } from "../arguments.ts";
import { beginsSqlite, readFail2banBans } from "../import/fail2ban-bans.ts";
import { count } from "../../config/count.ts";
import { quote, visible } from "../visible.ts";
import type { ListEntry, ListFault, ListFormat, ParsedList } from "./list-entry.ts";
import { parseList } from "./parse-list.ts";
import { readListSource } from "./list-source.ts";

export interface LoadOptions {
  where: string;
  source: string;
  stdin: Readable;
  format: ListFormat | undefined;
  /** What an address of the list must be. */
  field: z.ZodType<Address>;
  /** Entries that cannot be used are left out. */
  skipsFaults: boolean;
  now: number;
}

export interface LoadedList {
  /** "drop.txt", "stdin". */
  name: string;
  entries: ListEntry[];
  passedOver: number;
  faults: ListFault[];
  /** Entries that the list has more than once. */
  repeated: number;
}

const FAULTS_SHOWN = 10;

/** Throws a UsageError with the first faults, unless they are to be left out. */
export async function loadList(options: LoadOptions): Promise<LoadedList> {
  const { where, source, field, skipsFaults } = options;
  const name = source === "-" ? "stdin" : source;
  const { entries, faults, passedOver } = await parse(options);
  const usable: ListEntry[] = [];
  for (const entry of entries) {
    const result = field.safeParse(entry.address);
    if (result.success) usable.push(entry);
    else faults.push({ where: entry.address, reason: result.error.issues[0]?.message ?? "" });
  }
  if (faults.length > 0 && !skipsFaults) {
    const cure = "correct them, or leave them out with --skip-faults";
    throw new UsageError(`${where}: ${describeFaults(name, faults, cure)}`);
  }
  const unique = withoutRepeated(usable);
  return { name, entries: unique, passedOver, faults, repeated: usable.length - unique.length };
}

async function parse(options: LoadOptions): Promise<ParsedList> {
  const { where, source, format, now } = options;
  const bytes = await readListSource(options);
  if (!beginsSqlite(bytes)) return parseList(bytes.toString("utf8"), format, now);
  if (source === "-" || source.startsWith("https:")) {
    const text = "is a sqlite file; save it, and name the file";
    throw new PlainError(`${where}: ${quote(source)}: ${text}`, EXIT.noInput);
  }
  const bans = readFail2banBans(source, now);
  const entries = bans.map(({ jail, address, seconds }) => ({
    ...{ jail, address, reason: "banned by fail2ban" },
    ...(seconds !== undefined && { seconds }),
  }));
  return { entries, faults: [], passedOver: 0 };
}

/** `cure` is what the command has against faults: "correct them". */
export function describeFaults(name: string, faults: readonly ListFault[], cure: string): string {
  const shown = faults.slice(0, FAULTS_SHOWN).map(({ where, reason }) => `\n  ${where}: ${reason}`);
  const more = faults.length - FAULTS_SHOWN;
  const rest = more > 0 ? `\n  and ${more} more` : "";
  const lines = [...shown, rest].join("").split("\n").map(visible).join("\n");
  return `${visible(name)}: ${count(faults.length, "entry", "entries")} cannot be used, and nothing was changed; ${cure}${lines}`;
}

/** The first of several entries counts. */
function withoutRepeated(entries: readonly ListEntry[]): ListEntry[] {
  const found = new Map<string, ListEntry>();
  for (const entry of entries) {
    const key = `${entry.jail ?? ""}/${entry.address}`;
    if (!found.has(key)) found.set(key, entry);
  }
  return [...found.values()];
}

/** "3 addresses and 2 networks, the widest of them 203.0.0.0/16". */
export function describeSize(entries: readonly Pick<ListEntry, "address">[]): string {
  const networks = entries.map(({ address }) => address).filter(isNetwork);
  const addresses = count(entries.length - networks.length, "address", "addresses");
  if (networks.length === 0) return addresses;
  let [widest] = networks;
  for (const network of networks) if (widthOf(network) > widthOf(widest)) widest = network;
  const of = networks.length === 1 ? "" : ", the widest of them";
  return `${addresses} and ${count(networks.length, "network")}${of} ${widest ?? ""}`;
}

/** A /48 of IPv6 counts like a /16 of IPv4: one site. */
function widthOf(network: Address | undefined): number {
  if (network === undefined) return -Infinity;
  return familyOf(network) === 4 ? 32 - prefixOf(network) : 64 - prefixOf(network);
}
