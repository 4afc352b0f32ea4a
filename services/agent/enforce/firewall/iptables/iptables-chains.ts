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
import { addChain, fillChain, NO_CHANGE, removeChains, type Change } from "./iptables-changes.ts";
import { dispatchRules } from "./iptables-dispatch.ts";
import { createFilter, type Filter } from "./iptables-filter.ts";
import { DISPATCH, findHook, isOurs, strayHooks } from "./iptables-hook.ts";
import { Hooks } from "./iptables-hooks.ts";
import { rulesIn, whyBypassed, isForwardChain, type Reach, type Table } from "./iptables-table.ts";
import { hasIpv6, otherVariant, type Iptables } from "./iptables-variants.ts";
import { chainName, jailOfChain, type Family } from "../names.ts";
import { explainHook } from "../not-effective.ts";
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
  return chainsOf({ program: iptables, iptables, parents, run });
}

/** `ensure` of every family's chains. */
export async function ensureAll(
  chains: readonly (Pick<Family, "family"> & Pick<Chains, "ensure">)[],
  jails: readonly FirewallJail[],
  rulesOf: (jail: string, family: Family["family"]) => readonly string[],
): Promise<Ensured> {
  const all: Ensured = { repaired: [], ineffective: [] };
  for (const { family, ensure } of chains) {
    const { repaired, ineffective } = await ensure(jails, (jail) => rulesOf(jail, family));
    all.repaired.push(...repaired);
    all.ineffective.push(...ineffective);
  }
  return all;
}

/** What `iptables` stood for before the administrator has changed that; undefined: there is nothing. */
export async function otherChains(
  { iptables }: Pick<Family, "iptables">,
  run: Run,
): Promise<Chains | undefined> {
  if (iptables === "ip6tables" && !(await hasIpv6(run))) return undefined;
  const program = await otherVariant(iptables, run);
  return program === undefined ? undefined : chainsOf({ program, iptables, parents: [], run });
}

interface Place {
  /** The family's iptables, or the one of its variants that it does not stand for. */
  program: string;
  iptables: Iptables;
  parents: readonly string[];
  run: Run;
}

function chainsOf(place: Place): Chains {
  const filter = createFilter(place.program, place.iptables, place.run);
  const chains = new JailChains(place, filter);
  return {
    ensure: (jails, rulesOf) => chains.ensure(jails, rulesOf),
    inspect: (jails) => chains.inspect(jails),
    rules: () => chains.rules(),
    change: (lines) => filter.change(lines),
    remove: () => chains.remove(),
  };
}

class JailChains {
  readonly #place: Place;
  readonly #filter: Filter;
  readonly #hooks: Hooks;

  constructor(place: Place, filter: Filter) {
    this.#place = place;
    this.#filter = filter;
    this.#hooks = new Hooks(place.parents);
  }

  async ensure(jails: readonly FirewallJail[], rulesOf: RulesOf): Promise<Ensured> {
    if (await this.#filter.isAbsent()) return { repaired: [], ineffective: [] };
    const { parents, run } = this.#place;
    const present = await this.#filter.read();
    const isDockersMissing = parents.includes(DOCKERS) && !present.chains.has(DOCKERS);
    const dockers = isDockersMissing ? addChain(DOCKERS) : NO_CHANGE;
    const table = isDockersMissing ? withChain(present, DOCKERS) : present;
    const match = await portMatch(parents, run);
    const reach = reachOf(jails);
    const hooks = this.#hooks.mend(table, reach);
    const changes = [dockers, ...fillChains(jails, { rulesOf, match, table }), hooks];
    const kept = new Set([DISPATCH, ...jails.map(({ name }) => chainName(name))]);
    const gone = [...table.chains].filter((chain) => isOurs(chain) && !kept.has(chain));
    await this.#filter.change([...changes.flatMap(({ lines }) => lines), ...removeChains(gone)]);
    const repaired = changes.flatMap(({ why }) => why);
    if (repaired.length > 0) await this.#verify(jails, rulesOf, match);
    if (jails.some(({ name }) => !table.chains.has(chainName(name)))) await this.#removeOthers();
    const ineffective = [...hooks.ineffective, ...(await this.#bypasses(table, jails, reach))];
    return { repaired: this.#named(repaired), ineffective: this.#named(ineffective) };
  }

  async inspect(jails: readonly FirewallJail[]): Promise<string[] | undefined> {
    if (await this.#filter.isAbsent()) return [];
    const table = await this.#filter.read();
    if (!table.chains.has(DISPATCH)) return undefined;
    const reach = reachOf(jails);
    const hooks = this.#place.parents.flatMap(
      (parent) => explainHook(parent, findHook(parent, table, reach)) ?? [],
    );
    return this.#named([...hooks, ...(await this.#bypasses(table, jails, reach))]);
  }

  async rules(): Promise<{ jail: string; rule: string }[]> {
    if (await this.#filter.isAbsent()) return [];
    const table = await this.#filter.read();
    return [...table.chains].flatMap((chain) => {
      const jail = jailOfChain(chain);
      return jail === undefined ? [] : rulesIn(table, chain).map((rule) => ({ jail, rule }));
    });
  }

  async remove(): Promise<void> {
    if (await this.#filter.isAbsent()) return;
    const table = await this.#filter.read();
    const hooks = strayHooks([], table).flatMap(({ lines }) => lines);
    await this.#filter.change([...hooks, ...removeChains([...table.chains].filter(isOurs))]);
  }

  /** Never claim what was not checked: the rules are read back. A peer may have come before again. */
  async #verify(jails: readonly FirewallJail[], rulesOf: RulesOf, match: PortMatch): Promise<void> {
    const table = await this.#filter.read();
    const unhooked = this.#place.parents.filter(
      (parent) => findHook(parent, table, ANY).state === "missing",
    );
    const [wrong] = this.#named([
      ...fillChains(jails, { rulesOf, match, table }).flatMap(({ why }) => why),
      ...unhooked.map((parent) => `${parent} did not lead to ${DISPATCH}`),
    ]);
    if (wrong !== undefined) throw new FirewallError(`${wrong}, and still is after it was made`);
  }

  /** Removes what `iptables` stood for before: its chains would drop packets that nobody lets in again. */
  async #removeOthers(): Promise<void> {
    const { program, iptables, run } = this.#place;
    if (program === iptables) await (await otherChains({ iptables }, run))?.remove();
  }

  /** Ways for packets to jails that lead past the parent chains. */
  async #bypasses(table: Table, jails: readonly FirewallJail[], reach: Reach): Promise<string[]> {
    const { program, parents, run } = this.#place;
    const reasons = parents.flatMap((parent) => {
      if (!table.chains.has(parent)) return [];
      // Docker leads to it when it starts; before that there is nothing to get past it for.
      if (parent === DOCKERS && !table.chains.has("DOCKER")) return [];
      return whyBypassed(parent, table, reach) ?? [];
    });
    if (parents.some((parent) => isForwardChain(parent, table))) return reasons;
    return [...reasons, ...(await forwardedPorts(program, jails, run))];
  }

  #named(reasons: readonly string[]): string[] {
    return reasons.map((reason) => `${this.#place.iptables}: ${reason}`);
  }
}

interface Filling {
  rulesOf: RulesOf;
  match: PortMatch;
  table: Table;
}

/** The chains of all jails, and the chain that leads to them. */
function fillChains(jails: readonly FirewallJail[], { rulesOf, match, table }: Filling): Change[] {
  return [
    ...jails.map(({ name }) => fillChain(chainName(name), rulesOf(name), table)),
    fillChain(DISPATCH, dispatchRules(jails, match), table),
  ];
}

const withChain = (table: Table, chain: string): Table => ({
  ...table,
  chains: new Set([...table.chains, chain]),
});

const ANY: Reach = { protocols: "all", from: "anywhere" };

function reachOf(jails: readonly FirewallJail[]): Reach {
  const isTcp = (jail: FirewallJail) => transportsOf(jail).toString() === "tcp";
  return { ...ANY, protocols: jails.every(isTcp) ? "tcp" : "all" };
}
