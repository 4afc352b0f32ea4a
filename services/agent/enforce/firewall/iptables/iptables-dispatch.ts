/** Which packets the chain `fleetban` sends to the chain of a jail. */
import type { PortMatch } from "../connection-tracking.ts";
import { transportsOf, type FirewallJail } from "../firewall.ts";
import { chainName } from "../names.ts";

/** iptables' multiport takes this many. */
const PORTS_PER_RULE = 15;

/** As `iptables -S` spells them. */
export function dispatchRules(jails: readonly FirewallJail[], match: PortMatch): string[] {
  return jails.flatMap((jail) => {
    const jump = `-j ${chainName(jail.name)}`;
    const transports = transportsOf(jail);
    if (transports === "all") return [jump];
    return transports.flatMap((transport) =>
      portMatches(jail.ports, match).map((ports) => `-p ${transport} ${ports}${jump}`),
    );
  });
}

/** What matches these ports, each with a space behind it; no ports: all of them. */
function portMatches(ports: readonly number[], match: PortMatch): string[] {
  if (ports.length === 0) return [""];
  const rewritten = match === "rewritten" ? ports : [];
  return [
    ...chunks(ports).map((some) => `-m multiport --dports ${some.join(",")} `),
    ...rewritten.map((port) => `${rewrittenPort(port)} `),
  ];
}

/** conntrack's match, in iptables-extensions(8). */
function rewrittenPort(port: number): string {
  return `-m conntrack --ctstate DNAT --ctorigdstport ${port} --ctdir ORIGINAL`;
}

function chunks(ports: readonly number[]): number[][] {
  const length = Math.ceil(ports.length / PORTS_PER_RULE);
  return Array.from({ length }, (_, index) =>
    ports.slice(index * PORTS_PER_RULE, (index + 1) * PORTS_PER_RULE),
  );
}
