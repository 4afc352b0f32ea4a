/**
 * Other programs that manage this host's firewall, told by the chains that they make, and what an
 * administrator should know of each beside fleetban. docs/firewall.md says more.
 */
import { FirewallError, type Run } from "./command.ts";
import type { FirewallKind } from "./firewall.ts";
import { hasChain, isForwardChain, parseTable, type Table } from "./iptables/iptables-table.ts";

export interface Neighbour {
  name: string;
  text: string;
}

interface Sight {
  kind: FirewallKind;
  chains: readonly string[];
  table: Table;
  /** Network interfaces, as the kernel names them. */
  interfaces: readonly string[];
  /** Names of nftables' tables, such as "inet firewalld". */
  tables: readonly string[];
}

const seesForwarded = ({ chains, table, kind }: Sight) =>
  chains.some((chain) => isForwardChain(chain, table) || chain === "DOCKER-USER") ||
  (kind === "nftables" && chains.includes("FORWARD"));

const KNOWN: readonly { name: string; describe: (sight: Sight) => string | undefined }[] = [
  {
    name: "Docker",
    describe(sight) {
      if (!hasChain("DOCKER", sight.table)) return undefined;
      return seesForwarded(sight)
        ? "published ports are covered"
        : "ports that it publishes do not pass firewall.chains: add DOCKER-USER where Dovecot runs in a container";
    },
  },
  {
    name: "mailcow",
    describe({ table, kind }) {
      if (!hasChain("MAILCOW", table)) return undefined;
      return kind === "nftables"
        ? "does not concern fleetban's table"
        : "its jump may stay first; where its nftables mode makes iptables -S fail, set firewall.backend to nftables";
    },
  },
  {
    name: "fail2ban",
    describe({ table }) {
      const jails = [...table.chains].filter((chain) => chain.startsWith("f2b-"));
      return jails.length === 0 ? undefined : `bans beside fleetban: ${jails.join(", ")}`;
    },
  },
  {
    name: "ufw",
    describe: ({ table }) =>
      hasChain("ufw-before-input", table)
        ? "its rules come behind fleetban's; ufw reset removes fleetban's rule until the next repair"
        : undefined,
  },
  {
    name: "firewalld",
    describe({ table, tables, kind }) {
      if (tables.includes("inet firewalld")) return "fleetban's rules are asked before its own";
      if (!hasChain("INPUT_direct", table)) return undefined;
      return kind === "nftables"
        ? "does not concern fleetban's table"
        : "firewall-cmd --reload removes fleetban's rules until the next repair; firewall.backend: nftables has no such gap";
    },
  },
  {
    name: "Cilium",
    describe: ({ table, interfaces }) =>
      hasChain("CILIUM_INPUT", table) || interfaces.includes("cilium_host")
        ? "packets to pods may go past iptables and nftables: no ban concerns them unless Cilium runs with bpf.hostLegacyRouting=true"
        : undefined,
  },
  {
    name: "Calico",
    describe({ table, kind }) {
      if (!hasChain("cali-INPUT", table)) return undefined;
      return kind === "nftables"
        ? "does not concern fleetban's table"
        : "puts its jumps first again and again: set its chainInsertMode to Append, or firewall.backend to nftables";
    },
  },
];

/** Looks only: nothing is changed. What this host has no program for is not seen. */
export async function findNeighbours(
  { kind, chains }: Pick<Sight, "kind" | "chains">,
  run: Run,
): Promise<Neighbour[]> {
  const [rules, links, tables] = await Promise.all([
    outputOf(run, "iptables", ["-w", "-S"]),
    outputOf(run, "ls", ["/sys/class/net"]),
    outputOf(run, "nft", ["list", "tables"]),
  ]);
  const sight: Sight = {
    kind,
    chains,
    table: parseTable(rules),
    interfaces: links.split("\n"),
    tables: tables.split("\n").map((line) => line.replace(/^table /, "")),
  };
  return KNOWN.flatMap(({ name, describe }) => {
    const text = describe(sight);
    return text === undefined ? [] : [{ name, text }];
  });
}

async function outputOf(run: Run, command: string, args: readonly string[]): Promise<string> {
  try {
    return await run(command, args);
  } catch (error) {
    if (error instanceof FirewallError) return "";
    throw error;
  }
}
