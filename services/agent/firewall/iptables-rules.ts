/**
 * The rules that make a jail's sets bite: a chain per jail, hooked first into
 * INPUT for the jail's ports, as fail2ban users know it:
 *
 *   Chain INPUT    fleetban-dovecot  tcp -- multiport dports 110,995,143,993
 *   Chain fleetban-dovecot           DROP  all -- match-set fleetban-dovecot-4 src
 *
 * Being first, it cuts connections that are open already, too.
 */
import { FirewallError, type Run } from "./command.ts";
import type { FirewallJail } from "./firewall.ts";
import { chainName, jailOfChain, setName, type Family } from "./ipset-names.ts";

/** iptables' multiport takes this many. */
const PORTS_PER_RULE = 15;

export interface Rules {
  /** Puts back what is missing, removes chains of jails that are gone; returns what it did, in words. */
  ensure(jails: readonly FirewallJail[]): Promise<string[]>;
  remove(): Promise<void>;
}

export function createRules(family: Family, parents: readonly string[], run: Run): Rules {
  const { iptables } = family;
  const call = (...args: string[]) => run(iptables, ["-w", ...args]);

  /** The rules in force, as `iptables -S` spells them. */
  const read = async () => (await call("-S")).split("\n");

  const dropRule = (jail: string) => [
    "-m",
    "set",
    "--match-set",
    setName(jail, family.family),
    "src",
    "-j",
    "DROP",
  ];

  const hooks = ({ name, ports }: FirewallJail): string[][] => {
    const jump = ["-j", chainName(name)];
    if (ports.length === 0) return [jump];
    const rules: string[][] = [];
    for (let from = 0; from < ports.length; from += PORTS_PER_RULE) {
      const dports = ports.slice(from, from + PORTS_PER_RULE).join(",");
      rules.push(["-p", "tcp", "-m", "multiport", "--dports", dports, ...jump]);
    }
    return rules;
  };

  async function ensureJail(jail: FirewallJail, rules: readonly string[]): Promise<string[]> {
    const done: string[] = [];
    const chain = chainName(jail.name);
    if (!rules.includes(`-N ${chain}`)) {
      await call("-N", chain);
      done.push(`${iptables}: chain ${chain} was missing`);
    }
    const drop = dropRule(jail.name);
    const inChain = rules.filter((rule) => rule.startsWith(`-A ${chain} `));
    if (inChain.length !== 1 || inChain[0] !== `-A ${chain} ${drop.join(" ")}`) {
      await call("-F", chain);
      await call("-A", chain, ...drop);
      done.push(`${iptables}: rule of ${chain} was missing`);
    }
    for (const parent of parents) {
      const wanted = hooks(jail);
      const hooked = rules.filter(
        (rule) => rule.startsWith(`-A ${parent} `) && endsIn(rule, chain),
      );
      const expected = wanted.map((hook) => `-A ${parent} ${hook.join(" ")}`);
      if (hooked.length === expected.length && expected.every((rule) => hooked.includes(rule)))
        continue;
      // The new ones first: there is no moment without.
      for (const hook of wanted.toReversed()) await call("-I", parent, "1", ...hook);
      for (const rule of hooked) await call("-D", ...rule.split(" ").slice(1));
      done.push(`${iptables}: ${parent} did not lead to ${chain}`);
    }
    return done;
  }

  async function removeChain(chain: string, rules: readonly string[]): Promise<void> {
    for (const rule of rules) {
      if (rule.startsWith("-A ") && endsIn(rule, chain))
        await call("-D", ...rule.split(" ").slice(1));
    }
    await call("-F", chain);
    await call("-X", chain);
  }

  const chainsIn = (rules: readonly string[]) =>
    rules.flatMap((rule) => {
      const chain = /^-N (\S+)$/.exec(rule)?.[1] ?? "";
      const jail = jailOfChain(chain);
      return jail === undefined ? [] : [{ chain, jail }];
    });

  return {
    async ensure(jails) {
      const before = await read();
      const done: string[] = [];
      for (const jail of jails) done.push(...(await ensureJail(jail, before)));
      for (const { chain, jail } of chainsIn(before)) {
        if (!jails.some(({ name }) => name === jail)) await removeChain(chain, before);
      }
      if (done.length > 0) await verify(jails);
      return done;
    },
    async remove() {
      const rules = await read();
      for (const { chain } of chainsIn(rules)) await removeChain(chain, rules);
    },
  };

  /** Never claim what was not checked: the rules are read back. */
  async function verify(jails: readonly FirewallJail[]): Promise<void> {
    const rules = await read();
    for (const jail of jails) {
      const missing = missingOf(jail, rules);
      if (missing !== undefined) {
        throw new FirewallError(`${iptables}: ${missing} was installed, but is not in force`);
      }
    }
  }

  function missingOf(jail: FirewallJail, rules: readonly string[]): string | undefined {
    const chain = chainName(jail.name);
    const wanted = [
      `-A ${chain} ${dropRule(jail.name).join(" ")}`,
      ...parents.flatMap((parent) => hooks(jail).map((hook) => `-A ${parent} ${hook.join(" ")}`)),
    ];
    return wanted.find((rule) => !rules.includes(rule));
  }
}

function endsIn(rule: string, chain: string): boolean {
  return rule.endsWith(` -j ${chain}`);
}
