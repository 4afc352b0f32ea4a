/**
 * One rule in each parent chain leads to the chain `fleetban`, and from there to a chain per jail:
 *
 *   Chain INPUT               fleetban           all
 *   Chain fleetban            fleetban-dovecot   tcp -- multiport dports 110,995,143,993
 *   Chain fleetban-dovecot    (its rules are the back end's)
 *
 * Being first, it cuts connections that are open already, too. What has to change is handed to
 * one `iptables-restore`, which does all of it or nothing: there is no moment without.
 *
 * On a host without IPv6 there are no chains of ip6tables, and nothing is missing.
 */
import { FirewallError, type Run } from "../command.ts";
import { portMatch, type PortMatch } from "../connection-tracking.ts";
import { transportsOf, type FirewallJail } from "../firewall.ts";
import { createHookContest } from "../hook-contest.ts";
import { dispatchRules } from "./iptables-dispatch.ts";
import { DISPATCH, findHook, isOurs, placeHook, strayHooks } from "./iptables-hook.ts";
import {
  parseTable,
  rulesIn,
  whyBypassed,
  isForwardChain,
  type Reach,
  type Table,
} from "./iptables-table.ts";
import { hasIpv6, otherVariant, type Iptables } from "./iptables-variants.ts";
import { chainName, jailOfChain, type Family } from "../names.ts";
import { explainHook, explainMissingChain, explainPeer } from "../not-effective.ts";
import { forwardedPorts } from "../published-ports.ts";

/**
 * Docker makes it where it is not there, keeps what is in it, and leads to it what its published
 * ports get. Whoever makes it first has it guarded before the first container runs.
 */
export const DOCKERS = "DOCKER-USER";

/** The rules of a jail's chain, as `iptables -S` spells them after the chain's name. */
export type RulesOf = (jail: string) => readonly string[];

export interface Ensured {
  /** What was not as it should be and is now, in words. */
  repaired: string[];
  /** Why packets of banned addresses may get past the chains all the same. */
  ineffective: string[];
}

export interface Chains {
  /** Puts back what is missing or not the first any more, removes chains of jails that are gone. */
  ensure(jails: readonly FirewallJail[], rulesOf: RulesOf): Promise<Ensured>;
  /** Why bans would not take effect as the rules are now; undefined: there are no rules of fleetban. */
  inspect(jails: readonly FirewallJail[]): Promise<string[] | undefined>;
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

/** Lines for iptables-restore, and in words what they put right. */
interface Change {
  lines: string[];
  why: string[];
}

/** `program` is the family's iptables, or the one of its variants that it does not stand for. */
function chainsOf(program: string, { iptables, parents, run }: Place): Chains {
  const contests = new Map(parents.map((parent) => [parent, createHookContest()]));
  let absent: Promise<boolean> | undefined;
  const isAbsent = () =>
    (absent ??= iptables === "ip6tables" ? hasIpv6(run).then((is) => !is) : Promise.resolve(false));

  /** The filter table in force. */
  const read = async () => parseTable(await run(program, ["-w", "-S"]));

  async function change(lines: readonly string[]): Promise<void> {
    if (lines.length === 0 || (await isAbsent())) return;
    const script = ["*filter", ...lines, "COMMIT", ""].join("\n");
    await run(`${program}-restore`, ["-w", "--noflush"], script);
  }

  /** One of our chains with these rules; naming it makes it or empties it. */
  function fillChain(chain: string, table: Table, rules: readonly string[]): Change {
    const isThere = table.chains.has(chain);
    if (isThere && sameRules(rulesIn(table, chain), rules)) return { lines: [], why: [] };
    const what = isThere ? `rules of ${chain} were changed` : `chain ${chain} was missing`;
    const lines = [`:${chain} - [0:0]`, ...rules.map((rule) => `-A ${chain} ${rule}`)];
    return { lines, why: [`${iptables}: ${what}`] };
  }

  /** The hooks, and why some of them cannot be where they must be. */
  function hookIn(table: Table, reach: Reach): Change & { ineffective: string[] } {
    const [lines, why, ineffective]: [string[], string[], string[]] = [[], [], []];
    for (const parent of parents) {
      const hook = findHook(parent, table, reach);
      const contest = contests.get(parent);
      if (hook.state === "no chain") {
        ineffective.push(`${iptables}: ${explainMissingChain(parent, table)}`);
      } else if (hook.state === "in place") {
        contest?.onInPlace();
      } else if (hook.state === "displaced" && contest?.onDisplaced() === "give way") {
        ineffective.push(`${iptables}: ${explainPeer(parent, hook.by)}`);
      } else {
        const what =
          hook.state === "missing"
            ? `${parent} did not lead to ${DISPATCH}`
            : `in ${parent}, "${hook.by}" stood before the rule of ${DISPATCH}`;
        why.push(`${iptables}: ${what}`);
        lines.push(...placeHook(parent, table, reach));
      }
    }
    for (const stray of strayHooks(parents, table)) {
      why.push(`${iptables}: ${stray.chain} led to ${DISPATCH}, and is not in firewall.chains`);
      lines.push(...stray.lines);
    }
    return { lines, why, ineffective };
  }

  async function ensure(jails: readonly FirewallJail[], rulesOf: RulesOf): Promise<Ensured> {
    if (await isAbsent()) return { repaired: [], ineffective: [] };
    const present = await read();
    const dockers = dockersChain(present);
    const table = { ...present, chains: new Set([...present.chains, ...dockers.chains]) };
    const match = await portMatch(parents, run);
    const reach = reachOf(jails);
    const filled = [
      ...jails.map(({ name }) => fillChain(chainName(name), table, rulesOf(name))),
      fillChain(DISPATCH, table, dispatchRules(jails, match)),
    ];
    const { ineffective, ...hooks } = hookIn(table, reach);
    const made = [dockers, ...filled, hooks];
    const kept = new Set([DISPATCH, ...jails.map(({ name }) => chainName(name))]);
    const gone = [...table.chains].filter((chain) => isOurs(chain) && !kept.has(chain));
    await change([...made.flatMap(({ lines }) => lines), ...removal(gone)]);
    const repaired = made.flatMap(({ why }) => why);
    if (repaired.length > 0) await verify(jails, rulesOf, match);
    const isNew = jails.some(({ name }) => !table.chains.has(chainName(name)));
    if (isNew && program === iptables) await (await otherChains({ iptables }, run))?.remove();
    return { repaired, ineffective: [...ineffective, ...(await bypasses(table, jails, reach))] };
  }

  /** Ways for packets to jails that lead past the parent chains. */
  async function bypasses(table: Table, jails: readonly FirewallJail[], reach: Reach) {
    const reasons = parents.flatMap((parent) => {
      if (!table.chains.has(parent)) return [];
      // Docker leads to it when it starts; before that there is nothing to get past it for.
      if (parent === DOCKERS && !table.chains.has("DOCKER")) return [];
      return whyBypassed(parent, table, reach) ?? [];
    });
    if (!parents.some((parent) => isForwardChain(parent, table))) {
      reasons.push(...(await forwardedPorts(program, jails, run)));
    }
    return reasons.map((reason) => `${iptables}: ${reason}`);
  }

  /** Never claim what was not checked: the rules are read back. A peer may have come before again. */
  async function verify(jails: readonly FirewallJail[], rulesOf: RulesOf, match: PortMatch) {
    const table = await read();
    const unhooked = parents.find((parent) => findHook(parent, table, ANY).state === "missing");
    const wrong = [
      ...jails.flatMap(({ name }) => fillChain(chainName(name), table, rulesOf(name)).why),
      ...fillChain(DISPATCH, table, dispatchRules(jails, match)).why,
      ...(unhooked === undefined ? [] : [`${iptables}: ${unhooked} did not lead to ${DISPATCH}`]),
    ][0];
    if (wrong !== undefined) throw new FirewallError(`${wrong}, and still is after it was made`);
  }

  function dockersChain({ chains }: Table): Change & { chains: string[] } {
    if (!parents.includes(DOCKERS) || chains.has(DOCKERS))
      return { lines: [], why: [], chains: [] };
    const why = [`${iptables}: chain ${DOCKERS} was missing`];
    return { lines: [`:${DOCKERS} - [0:0]`], why, chains: [DOCKERS] };
  }

  return {
    ensure,
    change,
    async inspect(jails) {
      if (await isAbsent()) return [];
      const table = await read();
      if (!table.chains.has(DISPATCH)) return undefined;
      const reach = reachOf(jails);
      const hooks = parents.map((parent) => explainHook(parent, findHook(parent, table, reach)));
      const reasons = hooks.filter((reason) => reason !== undefined);
      return [
        ...reasons.map((reason) => `${iptables}: ${reason}`),
        ...(await bypasses(table, jails, reach)),
      ];
    },
    async rules() {
      if (await isAbsent()) return [];
      const table = await read();
      return [...table.chains].flatMap((chain) => {
        const jail = jailOfChain(chain);
        return jail === undefined ? [] : rulesIn(table, chain).map((rule) => ({ jail, rule }));
      });
    },
    async remove() {
      if (await isAbsent()) return;
      const table = await read();
      const hooks = strayHooks([], table).flatMap(({ lines }) => lines);
      await change([...hooks, ...removal([...table.chains].filter(isOurs))]);
    },
  };
}

const ANY: Reach = { protocols: "all", from: "anywhere" };

function reachOf(jails: readonly FirewallJail[]): Reach {
  const isTcp = (jail: FirewallJail) => transportsOf(jail).toString() === "tcp";
  return { ...ANY, protocols: jails.every(isTcp) ? "tcp" : "all" };
}

/** All are emptied before the first is removed: they lead to each other. */
function removal(chains: readonly string[]): string[] {
  return [...chains.map((chain) => `-F ${chain}`), ...chains.map((chain) => `-X ${chain}`)];
}

/** In any order: every one of them says the same of an address, but for the last, RETURN. */
function sameRules(some: readonly string[], others: readonly string[]): boolean {
  if (some.length !== others.length || some.at(-1) !== others.at(-1)) return false;
  const all = new Set(others);
  return some.every((rule) => all.has(rule));
}
