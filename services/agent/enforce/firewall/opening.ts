/** Brings the chosen back end into force in place of what another one has left: new first, then old removed. */
import type { Choice } from "./choice.ts";
import { createDryRunFirewall } from "./dry-run.ts";
import type { Firewall, FirewallJail, TimedBan } from "./firewall.ts";
import { createIpsetFirewall } from "./ipset/ipset.ts";
import { createIptablesFirewall } from "./iptables/iptables.ts";
import { createNftablesFirewall } from "./nftables/nftables.ts";
import { createRemains, readRemains } from "./remains.ts";
import type { Run, Start } from "./command.ts";

export interface OpeningOptions {
  kind: Choice["kind"];
  chains: readonly string[];
  jails: readonly FirewallJail[];
  now: () => number;
  say: (what: string, facts: object) => void;
  run?: Run | undefined;
  start?: Start | undefined;
}

/** Rules and bans are in force when it resolves. */
export async function openFirewall(options: OpeningOptions): Promise<Firewall> {
  const { kind, jails, now, say, run } = options;
  const firewall = create(options);
  if (kind === "dry-run") {
    await firewall.open(jails);
    return firewall;
  }
  const others: { bans: TimedBan[]; remove: () => Promise<void>; isNeeded: boolean }[] = [];
  for (const each of createRemains(now, run)) {
    if (each.of === kind) continue;
    const bans = await readRemains(each, (why) => {
      say("what another back end may have left cannot be looked at", { why });
    });
    if (bans) others.push({ bans, remove: each.remove, isNeeded: each.neededBy.includes(kind) });
  }
  const inherited = others.flatMap(({ bans }) => bans);
  await firewall.open(jails, [...new Map(inherited.map((ban) => [keyOf(ban), ban])).values()]);
  for (const { remove, isNeeded } of others) if (!isNeeded) await remove();
  if (inherited.length > 0) {
    say("bans of another back end were taken over", { bans: inherited.length });
  }
  return firewall;
}

function keyOf({ jail, address }: TimedBan): string {
  return `${jail} ${address}`;
}

function create({ kind, chains, now, say, run, start }: OpeningOptions): Firewall {
  switch (kind) {
    case "ipset":
      return createIpsetFirewall({ chains, run, start });
    case "nftables":
      return createNftablesFirewall({ chains, now, run });
    case "iptables":
      return createIptablesFirewall({ chains, now, run });
    case "dry-run":
      return createDryRunFirewall({ now, say: (what, facts) => say(`dry-run: ${what}`, facts) });
  }
}
