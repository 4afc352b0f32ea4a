/**
 * The kernel's sets of a jail, one per family: `fleetban-dovecot-4`. The type is hash:net: it
 * holds single addresses and networks, each with a timeout of its own.
 */
import { inSlices } from "../../../../process/slices.ts";
import { familyOf, parseNetwork, type Address } from "../../../../wire/address.ts";
import { JAIL_NAME } from "../../../../wire/subjects.ts";
import { FirewallError, inPieces, type Run } from "../command.ts";
import type { TimedBan } from "../firewall.ts";
import { chainName, checked, FAMILIES, type Family } from "../names.ts";

/** ipset keeps a timeout in milliseconds in 32 bits; 0 means for ever. */
const MAX_SECONDS = 2_147_483;
/** Bans in force per jail and family. */
export const MAX_MEMBERS = 1_048_576;

/** At most 27 of the 31 characters that ipset allows, with the mark of a spare set 28. */
export function setName(jail: string, family: 4 | 6): string {
  return `${chainName(jail)}-${family}`;
}

export function setOf({ jail, address }: { jail: string; address: Address }): string {
  return setName(jail, familyOf(address));
}

/** The jail whose set this is, or undefined when it is none of ours. */
function jailOfSet(set: string): string | undefined {
  const jail = /^fleetban-(.+)-[46]~?$/.exec(set)?.[1];
  return jail !== undefined && JAIL_NAME.test(jail) ? jail : undefined;
}

export function createSetLine(
  set: string,
  { inet }: Family,
  hashsize = 4096,
  maxMembers = MAX_MEMBERS,
): string {
  return `create ${set} hash:net family ${inet} hashsize ${hashsize} maxelem ${maxMembers} timeout 0`;
}

export function addLine({ address, seconds, ...ban }: TimedBan, set?: string): string {
  const timeout =
    seconds === undefined ? 0 : Math.min(Math.max(Math.ceil(seconds), 1), MAX_SECONDS);
  return `add ${set ?? setOf({ ...ban, address })} ${checked(address)} timeout ${timeout} -exist`;
}

export function deleteLine(ban: { jail: string; address: Address }, set = setOf(ban)): string {
  return `del ${set} ${checked(ban.address)} -exist`;
}

export interface Sets {
  restore(lines: Iterable<string>): Promise<unknown>;
  /** Makes those of these jails that are missing; returns their names. */
  ensure(jails: readonly string[]): Promise<string[]>;
  /** Number of members. */
  count(set: string): Promise<number>;
  /** Number of members of all of these sets. */
  countAll(sets: readonly string[]): Promise<number>;
  /** The bans in all sets of ours, whoever made them. */
  bans(): Promise<TimedBan[]>;
  /** Sets of jails other than these, and spare ones that a crash has left. */
  destroyOthers(jails: readonly string[]): Promise<void>;
}

/** As `ipset list -terse` prints them. */
function membersBySet(text: string): Map<string, number> {
  const found = text.matchAll(/^Name: (\S+)$|^Number of entries: (\d+)$/gm);
  const members = new Map<string, number>();
  let set = "";
  for (const [, name, count] of found) {
    if (name !== undefined) set = name;
    else members.set(set, Number(count));
  }
  return members;
}

export function createSets(run: Run, maxMembers = MAX_MEMBERS): Sets {
  const restore = (lines: Iterable<string>) => run("ipset", ["restore", "-exist"], inPieces(lines));

  const names = async () => (await run("ipset", ["list", "-name"])).split("\n").filter(Boolean);

  return {
    restore,

    async ensure(jails) {
      const present = new Set(await names());
      const missing = jails
        .flatMap((jail) =>
          FAMILIES.map((family) => ({ family, set: setName(jail, family.family) })),
        )
        .filter(({ set }) => !present.has(set));
      if (missing.length > 0) {
        await restore(
          missing.map(({ set, family }) => createSetLine(set, family, undefined, maxMembers)),
        );
      }
      return missing.map(({ set }) => set);
    },

    async count(set) {
      return membersBySet(await run("ipset", ["list", "-terse", set])).get(set) ?? 0;
    },

    async countAll(sets) {
      const members = membersBySet(await run("ipset", ["list", "-terse"]));
      return sets.reduce((sum, set) => {
        const count = members.get(set);
        if (count === undefined) throw new FirewallError(`ipset: set ${set} is missing`);
        return sum + count;
      }, 0);
    },

    async bans() {
      const bans: TimedBan[] = [];
      for (const set of await names()) {
        const jail = jailOfSet(set);
        if (jail === undefined || set.endsWith("~")) continue;
        const text = await run("ipset", ["save", set]);
        const members = text.matchAll(/^add \S+ (\S+) timeout (\d+)/gm);
        await inSlices(members, ([, spelled = "", seconds]) => {
          const address = parseNetwork(spelled);
          if (address === undefined) return;
          bans.push({ jail, address, seconds: Number(seconds) || undefined });
        });
      }
      return bans;
    },

    async destroyOthers(jails) {
      for (const set of await names()) {
        const jail = jailOfSet(set);
        if (jail === undefined) continue;
        if (set.endsWith("~") || !jails.includes(jail)) await run("ipset", ["destroy", set]);
      }
    },
  };
}
