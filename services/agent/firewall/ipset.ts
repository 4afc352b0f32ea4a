/**
 * Bans as members of ipsets, two per jail (IPv4, IPv6), which one rule each drops.
 * A member carries its own timeout, so a ban ends on time even when the agent is dead.
 *
 * The type is hash:net: it holds single addresses and networks. Calls run one
 * after the other, so a late `replace` never undoes an earlier `ban`.
 */
import { familyOf, parseNetwork, type Address } from "../../wire/address.ts";
import {
  FirewallError,
  run as runCommand,
  start as startCommand,
  type Run,
  type Start,
} from "./command.ts";
import type { Firewall, FirewallJail, Refused, TimedBan } from "./firewall.ts";
import {
  addLine,
  createSetLine,
  deleteLine,
  FAMILIES,
  jailOfSet,
  setName,
  spareName,
  testLine,
  type Family,
} from "./ipset-names.ts";
import { createIpsetSession } from "./ipset-session.ts";
import { createRules } from "./iptables-rules.ts";

export interface IpsetOptions {
  /** Chains whose first rules lead to ours. */
  chains: readonly string[];
  run?: Run;
  start?: Start;
}

/** From so many changes on, one `ipset restore` is cheaper than the session. */
const SESSION_AT_MOST = 256;

export function createIpsetFirewall(options: IpsetOptions): Firewall {
  const { chains, run = runCommand, start = startCommand } = options;
  const session = createIpsetSession(start);
  const rules = FAMILIES.map((family) => createRules(family, chains, run));
  let jails: readonly FirewallJail[] = [];
  /** Members that each set had when we last changed it, to notice one that was emptied. */
  const filled = new Set<string>();

  let last: Promise<unknown> = Promise.resolve();
  const inOrder = <T>(work: () => Promise<T>): Promise<T> => {
    const result = last.then(work, work);
    last = result.catch(() => {});
    return result;
  };

  const restore = (lines: readonly string[]) =>
    run("ipset", ["restore", "-exist"], `${lines.join("\n")}\n`);

  const setOf = ({ jail, address }: { jail: string; address: Address }) =>
    setName(jail, familyOf(address));

  const setNames = async () => (await run("ipset", ["list", "-name"])).split("\n").filter(Boolean);

  /** Returns the sets that it had to create. */
  async function ensureSets(): Promise<string[]> {
    const present = new Set(await setNames());
    const missing = jails.flatMap(({ name }) =>
      FAMILIES.map((family) => ({ family, set: setName(name, family.family) })).filter(
        ({ set }) => !present.has(set),
      ),
    );
    if (missing.length > 0)
      await restore(missing.map(({ set, family }) => createSetLine(set, family)));
    return missing.map(({ set }) => set);
  }

  async function ensureRules(): Promise<string[]> {
    const done: string[] = [];
    for (const each of rules) done.push(...(await each.ensure(jails)));
    return done;
  }

  /** Sets of jails that are gone, and spare ones that a crash has left. */
  async function destroyStrangers(): Promise<void> {
    for (const set of await setNames()) {
      const jail = jailOfSet(set);
      if (jail === undefined) continue;
      if (set.endsWith("~") || !jails.some(({ name }) => name === jail)) {
        await run("ipset", ["destroy", set]);
      }
    }
  }

  async function replaceSet(jail: string, family: Family, bans: readonly TimedBan[]) {
    const set = setName(jail, family.family);
    const spare = spareName(set);
    const hashsize = 2 ** Math.ceil(Math.log2(Math.max(bans.length, 4096)));
    await restore([
      createSetLine(spare, family, hashsize),
      `flush ${spare}`,
      ...bans.map(({ address, seconds }) => addLine(spare, address, seconds)),
      `swap ${spare} ${set}`,
      `destroy ${spare}`,
    ]);
    note(set, bans);
  }

  /** Remembers that `set` holds something that does not run out within the next minute. */
  function note(set: string, bans: readonly TimedBan[]): void {
    const lasting = bans.some(({ seconds }) => seconds === undefined || seconds > 60);
    if (lasting) filled.add(set);
    else filled.delete(set);
  }

  async function isEmptied(set: string): Promise<boolean> {
    return filled.has(set) && (await members(set)) === 0;
  }

  async function members(set: string): Promise<number> {
    const text = await run("ipset", ["list", "-terse", set]);
    return Number(/^Number of entries: (\d+)/m.exec(text)?.[1] ?? 0);
  }

  async function banInSession(bans: readonly TimedBan[]): Promise<Refused[]> {
    const answers = await session.run(
      bans.map((ban) => {
        const set = setOf(ban);
        return [addLine(set, ban.address, ban.seconds), testLine(set, ban.address)];
      }),
    );
    return bans.flatMap(({ jail, address }, index) => {
      const said = answers[index] ?? "";
      return / is in set /.test(said) && !/NOT in set/.test(said)
        ? []
        : [{ jail, address, reason: said.replace(/^ipset v\S+: /, "") }];
    });
  }

  const allSets = () =>
    jails.flatMap(({ name }) => FAMILIES.map(({ family }) => setName(name, family)));

  return {
    kind: "ipset",

    open: (wanted) =>
      inOrder(async () => {
        jails = wanted;
        await ensureSets();
        await ensureRules();
        await destroyStrangers();
      }),

    replace: (bans) =>
      inOrder(async () => {
        for (const { name } of jails) {
          for (const family of FAMILIES) {
            const those = bans.filter(
              (ban) => ban.jail === name && familyOf(ban.address) === family.family,
            );
            await replaceSet(name, family, those);
          }
        }
        return unknownJails(bans);
      }),

    ban: (bans) =>
      inOrder(async () => {
        const refused = unknownJails(bans);
        const known = bans.filter(({ jail }) => hasJail(jail));
        for (const ban of known) {
          if (ban.seconds === undefined || ban.seconds > 60) filled.add(setOf(ban));
        }
        if (known.length <= SESSION_AT_MOST) return [...refused, ...(await banInSession(known))];
        try {
          await restore(known.map((ban) => addLine(setOf(ban), ban.address, ban.seconds)));
          return refused;
        } catch (error) {
          if (!(error instanceof FirewallError)) throw error;
          // One line was refused and those after it were not read: ask for each.
          return [...refused, ...(await banInSession(known))];
        }
      }),

    unban: (bans) =>
      inOrder(async () => {
        const known = bans.filter(({ jail }) => hasJail(jail));
        const lines = known.map((ban) => deleteLine(setOf(ban), ban.address));
        if (lines.length > SESSION_AT_MOST) await restore(lines);
        else await session.run(lines.map((line) => [line]));
        for (const set of new Set(known.map(setOf))) {
          if ((await members(set)) === 0) filled.delete(set);
        }
      }),

    list: () =>
      inOrder(async () => {
        const bans: TimedBan[] = [];
        for (const { name } of jails) {
          for (const { family } of FAMILIES) {
            const text = await run("ipset", ["save", setName(name, family)]);
            for (const [, spelled = "", seconds] of text.matchAll(
              /^add \S+ (\S+) timeout (\d+)/gm,
            )) {
              const address = parseNetwork(spelled);
              if (address === undefined) continue;
              bans.push({ jail: name, address, seconds: Number(seconds) || undefined });
            }
          }
        }
        return bans;
      }),

    count: () =>
      inOrder(async () => {
        let sum = 0;
        for (const set of allSets()) sum += await members(set);
        return sum;
      }),

    repair: () =>
      inOrder(async () => {
        const created = await ensureSets();
        const emptied: string[] = [];
        for (const set of allSets()) {
          if (!created.includes(set) && (await isEmptied(set))) emptied.push(set);
        }
        const repaired = [
          ...created.map((set) => `ipset: set ${set} was missing`),
          ...emptied.map((set) => `ipset: set ${set} was emptied`),
          ...(await ensureRules()),
        ];
        return { repaired, bansLost: created.length + emptied.length > 0 };
      }),

    remove: () =>
      inOrder(async () => {
        for (const each of rules) await each.remove();
        jails = [];
        await destroyStrangers();
      }),

    close: () =>
      inOrder(() => {
        session.close();
        return Promise.resolve();
      }),
  };

  function hasJail(jail: string): boolean {
    return jails.some(({ name }) => name === jail);
  }

  function unknownJails(bans: readonly TimedBan[]): Refused[] {
    return bans
      .filter(({ jail }) => !hasJail(jail))
      .map(({ jail, address }) => ({ jail, address, reason: `there is no jail ${jail} here` }));
  }
}
