/** Why bans do not take effect although they are in the kernel, and what to do about it, in words. */
import { didYouMean } from "../../../config/did-you-mean.ts";
import type { Hook } from "./iptables/iptables-hook.ts";
import type { Table } from "./iptables/iptables-table.ts";

/** A chain of `firewall.chains` that the filter table does not have. */
export function explainMissingChain(chain: string, { builtIn, chains }: Table): string {
  const meant = didYouMean(chain, [...builtIn, ...chains, "DOCKER-USER"]);
  const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
  return `firewall.chains: there is no chain ${chain} in the filter table${hint}`;
}

/** Why a hook does not take effect now; undefined: it does, or its chain is named otherwise. */
export function explainHook(parent: string, hook: Hook): string | undefined {
  switch (hook.state) {
    case "in place":
      return undefined;
    case "no chain":
      return `firewall.chains: there is no chain ${parent} in the filter table`;
    case "missing":
      return `${parent} does not lead to fleetban; the agent repairs that within repairEvery`;
    case "displaced":
      return `in ${parent}, "${hook.by}" stands before fleetban's rule; the agent puts its rule first within repairEvery`;
  }
}

/** Another program puts `rule` before fleetban's again and again. */
export function explainPeer(parent: string, rule: string): string {
  return (
    `in ${parent}, "${rule}" lets packets through before fleetban's rule, and comes back before it ` +
    "after each repair: stop what puts it there, or set firewall.backend to nftables, " +
    "before whose table no rule of iptables comes"
  );
}
