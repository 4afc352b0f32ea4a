/**
 * A chain per jail, hooked first into INPUT for the jail's ports, as fail2ban users know it:
 *
 *   Chain INPUT    fleetban-dovecot  tcp -- multiport dports 110,995,143,993
 *   Chain fleetban-dovecot           (its rules are the back end's)
 *
 * Being first, it cuts connections that are open already, too. What has to change is handed to
 * one `iptables-restore`, which does all of it or nothing: there is no moment without.
 *
 * On a host without IPv6 there are no chains of ip6tables, and nothing is missing.
 */
import { FirewallError, type Run } from "./command.ts";
import type { FirewallJail } from "./firewall.ts";
import { hasIpv6, otherVariant, type Iptables } from "./iptables-variants.ts";
import { chainName, jailOfChain, type Family } from "./names.ts";

/**
 * Docker makes it where it is not there, keeps what is in it, and leads to it what its published
 * ports get. Whoever makes it first has it guarded before the first container runs.
 */
const DOCKERS = "DOCKER-USER";

/** iptables' multiport takes this many. */
const PORTS_PER_RULE = 15;

/** The rules of a jail's chain, as `iptables -S` spells them after the chain's name. */
export type RulesOf = (jail: string) => readonly string[];

export interface Chains {
  /** Puts back what is missing, removes chains of jails that are gone; returns what it did, in words. */
  ensure(jails: readonly FirewallJail[], rulesOf: RulesOf): Promise<string[]>;
  /** The rules in all chains of ours, whoever made them. */
  rules(): Promise<{ jail: string; rule: string }[]>;
  /** Changes rules in chains that are there: all of it or nothing. */
  change(lines: readonly string[]): Promise<void>;
  /** Removes every chain of ours. */
  remove(): Promise<void>;
}

export function createChains(
  { iptables }: Pick<Family, "iptables">,
  parents: readonly string[],
  run: Run,
): Chains {
  return chainsOf(iptables, { iptables, parents, run });
}

/** What `iptables` stood for before the administrator has changed that; undefined: there is nothing. */
export async function otherChains(
  { iptables }: Pick<Family, "iptables">,
  run: Run,
): Promise<Chains | undefined> {
  if (iptables === "ip6tables" && !(await hasIpv6(run))) return undefined;
  const program = await otherVariant(iptables, run);
  return program === undefined ? undefined : chainsOf(program, { iptables, parents: [], run });
}

interface Place {
  iptables: Iptables;
  parents: readonly string[];
  run: Run;
}

/** `program` is the family's iptables, or the one of its variants that it does not stand for. */
function chainsOf(program: string, { iptables, parents, run }: Place): Chains {
  let absent: Promise<boolean> | undefined;
  const isAbsent = () =>
    (absent ??= iptables === "ip6tables" ? hasIpv6(run).then((is) => !is) : Promise.resolve(false));

  /** The filter table in force. */
  const read = async () => (await run(program, ["-w", "-S"])).split("\n");

  async function change(lines: readonly string[]): Promise<void> {
    if (lines.length === 0 || (await isAbsent())) return;
    const script = ["*filter", ...lines, "COMMIT", ""].join("\n");
    await run(`${program}-restore`, ["-w", "--noflush"], script);
  }

  /** What to change for one jail, and why. */
  function missing(jail: FirewallJail, present: Table, rules: readonly string[]) {
    const chain = chainName(jail.name);
    const [lines, why]: [string[], string[]] = [[], []];
    const hasChain = present.chains.has(chain);
    if (!hasChain) why.push(`${iptables}: chain ${chain} was missing`);
    if (!sameRules(present.rules.get(chain) ?? [], rules)) {
      why.push(`${iptables}: rules of ${chain} were changed`);
    }
    // Naming the chain makes it or empties it.
    if (why.length > 0)
      lines.push(`:${chain} - [0:0]`, ...rules.map((rule) => `-A ${chain} ${rule}`));
    const wanted = hooks(jail);
    for (const parent of parents) {
      const hooked = (present.rules.get(parent) ?? []).filter((rule) => leadsTo(rule, chain));
      if (sameRules(hooked, wanted)) continue;
      why.push(`${iptables}: ${parent} did not lead to ${chain}`);
      lines.push(...wanted.toReversed().map((hook) => `-I ${parent} 1 ${hook}`));
      lines.push(...unhook(parent, hooked));
    }
    return { lines, why };
  }

  const ensure: Chains["ensure"] = async (jails, rulesOf) => {
    if (await isAbsent()) return [];
    const present = parseTable(await read());
    const needed = jails.map((jail) => missing(jail, present, rulesOf(jail.name)));
    if (jails.length > 0 && parents.includes(DOCKERS) && !present.chains.has(DOCKERS)) {
      needed.unshift({
        lines: [`:${DOCKERS} - [0:0]`],
        why: [`${iptables}: chain ${DOCKERS} was missing`],
      });
    }
    const gone = oursIn(present).filter(({ jail }) => !jails.some(({ name }) => name === jail));
    await change([
      ...needed.flatMap(({ lines }) => lines),
      ...gone.flatMap(({ chain }) => removal(chain, present)),
    ]);
    const why = needed.flatMap((each) => each.why);
    if (why.length > 0) await verify(jails, rulesOf);
    const isNew = jails.some(({ name }) => !present.chains.has(chainName(name)));
    if (isNew && program === iptables) await (await otherChains({ iptables }, run))?.remove();
    return why;
  };

  /** Never claim what was not checked: the rules are read back. */
  async function verify(jails: readonly FirewallJail[], rulesOf: RulesOf): Promise<void> {
    const present = parseTable(await read());
    const [wrong] = jails.flatMap((jail) => missing(jail, present, rulesOf(jail.name)).why);
    if (wrong !== undefined) throw new FirewallError(`${wrong}, and still is after it was made`);
  }

  return {
    ensure,
    change,
    async rules() {
      if (await isAbsent()) return [];
      const present = parseTable(await read());
      return oursIn(present).flatMap(({ chain, jail }) =>
        (present.rules.get(chain) ?? []).map((rule) => ({ jail, rule })),
      );
    },
    async remove() {
      await ensure([], () => []);
    },
  };
}

function hooks({ name, ports }: FirewallJail): string[] {
  const jump = `-j ${chainName(name)}`;
  if (ports.length === 0) return [jump];
  const rules: string[] = [];
  for (let from = 0; from < ports.length; from += PORTS_PER_RULE) {
    const dports = ports.slice(from, from + PORTS_PER_RULE).join(",");
    rules.push(`-p tcp -m multiport --dports ${dports} ${jump}`);
  }
  return rules;
}

function leadsTo(rule: string, chain: string): boolean {
  return rule === `-j ${chain}` || rule.endsWith(` -j ${chain}`);
}

/** Several rules of one spelling are removed one by one. */
function unhook(parent: string, rules: readonly string[]): string[] {
  return rules.map((rule) => `-D ${parent} ${rule}`);
}

function removal(chain: string, { rules }: Table): string[] {
  const hooked = [...rules].flatMap(([parent, all]) =>
    unhook(
      parent,
      all.filter((rule) => leadsTo(rule, chain)),
    ),
  );
  return [...hooked, `-F ${chain}`, `-X ${chain}`];
}

interface Table {
  chains: ReadonlySet<string>;
  /** By chain, without its name. */
  rules: ReadonlyMap<string, string[]>;
}

/** What `iptables -S` prints: "-N CHAIN", "-A CHAIN RULE", "-P CHAIN ACCEPT". */
function parseTable(lines: readonly string[]): Table {
  const chains = new Set<string>();
  const rules = new Map<string, string[]>();
  for (const line of lines) {
    const [, kind, chain = "", rule = ""] = /^-([NA]) (\S+) ?(.*)$/.exec(line) ?? [];
    if (kind === "N") chains.add(chain);
    if (kind !== "A") continue;
    const known = rules.get(chain);
    if (known) known.push(rule);
    else rules.set(chain, [rule]);
  }
  return { chains, rules };
}

function oursIn({ chains }: Table): { chain: string; jail: string }[] {
  return [...chains].flatMap((chain) => {
    const jail = jailOfChain(chain);
    return jail === undefined ? [] : [{ chain, jail }];
  });
}

/** In any order: every one of them says the same of an address, but for the last, RETURN. */
function sameRules(some: readonly string[], others: readonly string[]): boolean {
  if (some.length !== others.length || some.at(-1) !== others.at(-1)) return false;
  const all = new Set(others);
  return some.every((rule) => all.has(rule));
}
