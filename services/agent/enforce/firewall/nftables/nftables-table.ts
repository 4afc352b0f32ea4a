/**
 * The one table of fleetban, as a script for `nft -f -`, which does all of it or nothing:
 *
 *   table inet fleetban
 *     chain input          hook input, before the filter: tcp dport { 110, ... } jump jail-dovecot
 *     chain jail-dovecot   ip saddr @ip4-dovecot drop
 *                          ip saddr & 255.255.255.0 @ip4-dovecot/24 drop
 *     set ip4-dovecot      single addresses
 *     set ip4-dovecot/24   networks of this size, by their first address
 *
 * A set for every size of network that is banned, each a hash: sets with intervals refuse a
 * network in a network, and are read by nft as a whole before every change.
 *
 * When all bans are replaced, the next generation of sets is filled, `ip4-dovecot.b`, and takes the
 * place of the one before in the rules. The names of the two generations take turns.
 */
import { familyOf, parseAddress, prefixOf, type Address } from "../../../../wire/address.ts";
import { JAIL_NAME } from "../../../../wire/subjects.ts";
import type { PortMatch } from "../connection-tracking.ts";
import {
  transportsOf,
  type Banned,
  type FirewallJail,
  type TimedBan,
  type Transport,
} from "../firewall.ts";
import { checked, checkedJail } from "../names.ts";

export const TABLE = "inet fleetban";
/** nft reads eight digits of a timeout, some three years; longer bans are renewed by then. */
const MAX_SECONDS = 99_999_999;
/** Before iptables' filter and firewalld, at 0 and 10. */
const PRIORITY = -10;

/** Why no hook stands for one of iptables' chains; undefined: all have one. */
export function whyUnhooked(chains: readonly string[]): string | undefined {
  const unknown = chains.find((chain) => !HOOKS.has(chain));
  if (unknown === undefined) return undefined;
  return `firewall.chains: expected only ${[...HOOKS.keys()].join(", ")}, got ${unknown}`;
}

/** The hooks that stand for iptables' chains. */
export function hooksFor(chains: readonly string[]): string[] {
  return [...new Set(chains.flatMap((chain) => HOOKS.get(chain) ?? []))];
}

/** What passes DOCKER-USER is forwarded. */
const HOOKS = new Map([
  ["INPUT", "input"],
  ["FORWARD", "forward"],
  ["DOCKER-USER", "forward"],
]);

/** The end of the names of a generation of sets. */
export type Generation = "" | ".b";

export function nextGeneration(generation: Generation): Generation {
  return generation === "" ? ".b" : "";
}

/** Name of the set that holds `address`. */
export function setFor({ jail, address }: Banned, generation: Generation): string {
  const family = familyOf(address);
  const name = `ip${family}-${checkedJail(jail)}`;
  const size = prefixOf(address) === WIDTH[family] ? "" : `/${prefixOf(address)}`;
  return `${name}${size}${generation}`;
}

const WIDTH = { 4: 32, 6: 128 } as const;

export interface SetParts {
  jail: string;
  family: 4 | 6;
  prefix: number;
  generation: Generation;
}

/** undefined: it is none of ours. */
export function partsOfSet(set: string): SetParts | undefined {
  const [, digit, jail = "", size, end] = /^ip([46])-([^/.]+)(?:\/(\d+))?(\.b)?$/.exec(set) ?? [];
  if (!JAIL_NAME.test(jail)) return undefined;
  const family = digit === "6" ? 6 : 4;
  const prefix = size === undefined ? WIDTH[family] : Number(size);
  return { jail, family, prefix, generation: end === undefined ? "" : ".b" };
}

/** The two sets that every jail has. */
export function plainSets(jail: string, generation: Generation = ""): string[] {
  return [`ip4-${checkedJail(jail)}${generation}`, `ip6-${checkedJail(jail)}${generation}`];
}

export interface Layout {
  hooks: readonly string[];
  jails: readonly FirewallJail[];
  /** Every set that rules drop the members of, `plainSets` included. */
  sets: ReadonlySet<string>;
  /** Sets that no rule leads to: they are filled, or emptied. */
  aside?: ReadonlySet<string>;
  match: PortMatch;
}

/** Makes rules and sets as they are to be and leaves members alone; removes `strange` chains and sets. */
export function layoutScript(
  { hooks, jails, sets, aside = new Set(), match }: Layout,
  strange: { chains: readonly string[]; sets: readonly string[] },
): string[] {
  const parts = [...sets].flatMap((set) => ({ set, ...partsOfSet(set) }));
  return [
    `add table ${TABLE}`,
    ...hooks.flatMap((hook) => [
      `add chain ${TABLE} ${hook} { type filter hook ${hook} priority ${PRIORITY}; policy accept; }`,
      `flush chain ${TABLE} ${hook}`,
    ]),
    ...strange.chains.map((chain) => `flush chain ${TABLE} ${chain}`),
    ...jails.flatMap(({ name }) => [
      `add chain ${TABLE} ${jailChain(name)}`,
      `flush chain ${TABLE} ${jailChain(name)}`,
    ]),
    ...strange.chains.map((chain) => `delete chain ${TABLE} ${chain}`),
    ...strange.sets.map((set) => `delete set ${TABLE} ${set}`),
    ...[...sets, ...aside].map(addSetLine),
    ...parts.flatMap(({ set, jail, family, prefix }) =>
      jail === undefined || family === undefined || prefix === undefined
        ? []
        : [`add rule ${TABLE} ${jailChain(jail)} ${source(family, prefix)} @${set} drop`],
    ),
    ...hooks.flatMap((hook) =>
      jails
        .flatMap((jail) => jumps(jail, match))
        .map((jump) => `add rule ${TABLE} ${hook} ${jump}`),
    ),
  ];
}

export function addSetLine(set: string): string {
  const family = partsOfSet(set)?.family ?? 4;
  return `add set ${TABLE} ${set} { type ipv${family}_addr; flags timeout; }`;
}

/** Rules that send packets to a jail's chain. */
function jumps(jail: FirewallJail, match: PortMatch): string[] {
  const jump = `jump ${jailChain(jail.name)}`;
  const transports = transportsOf(jail);
  if (transports === "all") return [jump];
  return transports.flatMap((transport) =>
    matches(transport, jail.ports, match).map((packets) => `${packets} ${jump}`),
  );
}

/** What matches packets to these ports; no ports: all of the protocol. */
function matches(transport: Transport, ports: readonly number[], match: PortMatch): string[] {
  const protocol = `meta l4proto ${transport}`;
  if (ports.length === 0) return [protocol];
  // One rule a port: nft 1.0.6 shows a set of them as "0x8f [invalid type]".
  const rewritten = match === "rewritten" ? ports : [];
  return [
    `${transport} dport { ${ports.join(", ")} }`,
    ...rewritten.map(
      (port) => `${protocol} ct status dnat ct direction original ct original proto-dst ${port}`,
    ),
  ];
}

export function jailChain(jail: string): string {
  return `jail-${checkedJail(jail)}`;
}

function source(family: 4 | 6, prefix: number): string {
  const address = family === 4 ? "ip saddr" : "ip6 saddr";
  return prefix === WIDTH[family] ? address : `${address} & ${maskOf(family, prefix)}`;
}

/** 255.255.255.0, ffff:ffff::. */
function maskOf(family: 4 | 6, prefix: number): string {
  const size = family === 4 ? 8 : 16;
  const parts = Array.from({ length: WIDTH[family] / size }, (_, index) => {
    const kept = Math.min(Math.max(prefix - index * size, 0), size);
    return (2 ** size - 1) & ~(2 ** (size - kept) - 1);
  });
  if (family === 4) return parts.join(".");
  return parseAddress(parts.map((part) => part.toString(16)).join(":")) ?? "";
}

/** "198.51.100.7", or the first address of a network. */
export function elementOf(address: Address): string {
  return checked(address).replace(/\/.*/, "");
}

/** One line for the members of each set. */
export function addLines(bans: readonly TimedBan[], generation: Generation): string[] {
  const elements = elementsOf(
    bans,
    generation,
    ({ address, seconds }) => `${elementOf(address)}${timeout(seconds)}`,
  );
  return elementLines("add", elements);
}

/** Deletes them whether they are there or not: what is added cannot be missing. */
export function deleteLines(bans: readonly Banned[], generation: Generation): string[] {
  const elements = elementsOf(bans, generation, ({ address }) => elementOf(address));
  return [...elementLines("add", elements), ...elementLines("delete", elements)];
}

/** What nft calls these bans, by their sets. */
function elementsOf<B extends Banned>(
  bans: readonly B[],
  generation: Generation,
  spell: (ban: B) => string,
): Map<string, string[]> {
  const bySet = new Map<string, string[]>();
  for (const ban of bans) {
    const set = setFor(ban, generation);
    const elements = bySet.get(set) ?? [];
    if (elements.push(spell(ban)) === 1) bySet.set(set, elements);
  }
  return bySet;
}

function elementLines(verb: string, bySet: ReadonlyMap<string, readonly string[]>): string[] {
  return [...bySet].map(
    ([set, elements]) => `${verb} element ${TABLE} ${set} { ${elements.join(", ")} }`,
  );
}

function timeout(seconds: number | undefined): string {
  if (seconds === undefined) return "";
  return ` timeout ${Math.min(Math.max(Math.ceil(seconds), 1), MAX_SECONDS)}s`;
}
