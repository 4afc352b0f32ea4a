/**
 * Bans as rules, one DROP per address, as fail2ban users know them from `iptables -L -n`: for
 * hosts without ipset and nftables. Every packet to a jail's ports is compared with each of them.
 *
 * The kernel ends bans by itself (see iptables-drop-rules.ts). What is left of their rules then is
 * swept with the next change or repair.
 */
import { FirewallError, run as runCommand, type Run } from "../command.ts";
import {
  sortOut,
  type Banned,
  type Firewall,
  type FirewallJail,
  type Refused,
  type Repair,
  type TimedBan,
} from "../firewall.ts";
import { createInOrder } from "../in-order.ts";
import { FAMILIES, type Family } from "../names.ts";
import { createChains, ensureAll, type Chains, type Ensured } from "./iptables-chains.ts";
import { bansIn, type Line } from "./iptables-drop-rules.ts";
import { RememberedRules } from "./iptables-remembered.ts";

export interface IptablesOptions {
  /** Chains whose first rules lead to ours. */
  chains: readonly string[];
  /** This host's clock, which the kernel ends bans by. */
  now: () => number;
  run?: Run | undefined;
}

const RETURN = "-j RETURN";

export function createIptablesFirewall(options: IptablesOptions): Firewall {
  const inOrder = createInOrder();
  const iptables = new IptablesBans(options);
  return {
    kind: "iptables",
    open: (jails, inherited = []) => inOrder(() => iptables.open(jails, inherited)),
    replace: (bans) => inOrder(() => iptables.replace(bans)),
    ban: (bans) => inOrder(() => iptables.ban(bans)),
    unban: (bans) => inOrder(() => iptables.unban(bans)),
    list: () => inOrder(() => iptables.list()),
    count: () => inOrder(async () => (await iptables.list()).length),
    repair: () => inOrder(() => iptables.repair()),
    close: () => Promise.resolve(),
  };
}

/** What each call does, in its turn. */
class IptablesBans {
  readonly #chains: readonly (Family & Chains)[];
  readonly #now: () => number;
  #jails: readonly FirewallJail[] = [];
  /** They change with the kernel's rules, or not at all. */
  readonly #remembered: RememberedRules;

  constructor({ chains: parents, now, run = runCommand }: IptablesOptions) {
    this.#chains = FAMILIES.map((family) => ({ ...family, ...createChains(family, parents, run) }));
    this.#now = now;
    this.#remembered = new RememberedRules(now);
  }

  async open(jails: readonly FirewallJail[], inherited: readonly TimedBan[]): Promise<void> {
    this.#jails = jails;
    const present = await bansIn(this.#chains, this.#now());
    this.#remembered.replace(sortOut([...inherited, ...present], jails).known);
    await this.#ensureChains();
  }

  replace(bans: readonly TimedBan[]): Promise<Refused[]> {
    return this.#remembered.orAsBefore(async () => {
      const { known, refused } = sortOut(bans, this.#jails);
      this.#remembered.replace(known);
      await this.#ensureChains();
      return refused;
    });
  }

  ban(bans: readonly TimedBan[]): Promise<Refused[]> {
    return this.#remembered.orAsBefore(async () => {
      const { known, refused } = sortOut(bans, this.#jails);
      const swept = this.#remembered.sweep();
      await this.#change([...swept, ...known.flatMap((ban) => this.#remembered.add(ban))]);
      return refused;
    });
  }

  unban(bans: readonly Banned[]): Promise<void> {
    return this.#remembered.orAsBefore(async () => {
      const { known } = sortOut(bans, this.#jails);
      const swept = this.#remembered.sweep();
      const removed = known.flatMap(({ jail, address }) => this.#remembered.delete(jail, address));
      await this.#change([...swept, ...removed]);
    });
  }

  async list(): Promise<TimedBan[]> {
    return sortOut(await bansIn(this.#chains, this.#now()), this.#jails).known;
  }

  async repair(): Promise<Repair> {
    await this.#change(this.#remembered.sweep());
    return { ...(await this.#ensureChains()), bansLost: false };
  }

  async #change(lines: readonly Line[]): Promise<void> {
    try {
      for (const { family, change } of this.#chains) {
        await change(lines.filter((line) => line.family === family).map(({ text }) => text));
      }
    } catch (error) {
      if (!(error instanceof FirewallError)) throw error;
      await this.#ensureChains(); // somebody has changed the chain
    }
  }

  /** Makes the chains hold what is remembered, whatever they hold now. */
  #ensureChains(): Promise<Ensured> {
    return ensureAll(this.#chains, this.#jails, (jail, family) => {
      return [...this.#remembered.rulesOf(jail, family), RETURN];
    });
  }
}
