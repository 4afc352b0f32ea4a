/**
 * Ports of jails that are handed on to another machine, a container for instance, and so never
 * come by INPUT: Docker writes `-A DOCKER ! -i docker0 -p tcp -m tcp --dport 993 -j DNAT
 * --to-destination 172.17.0.2:31993` into the nat table.
 */
import { FirewallError, type Run } from "./command.ts";
import type { FirewallJail } from "./firewall.ts";

/** Says of each such port what to do; asked where no chain of `firewall.chains` sees what is forwarded. */
export async function forwardedPorts(
  program: string,
  jails: readonly FirewallJail[],
  run: Run,
): Promise<string[]> {
  const wanted = new Set(jails.flatMap(({ ports }) => ports));
  const reasons: string[] = [];
  for (const { port, to, chain } of await rewrites(program, run)) {
    if (!wanted.has(port) || (await isHere(to, run))) continue;
    const parent = chain === "DOCKER" ? "DOCKER-USER" : "FORWARD";
    reasons.push(
      `port ${port} is handed on to ${to}, and passes none of firewall.chains: ` +
        `add ${parent} to them`,
    );
  }
  return reasons;
}

interface Rewrite {
  chain: string;
  port: number;
  /** "172.17.0.2:31993" */
  to: string;
}

async function rewrites(program: string, run: Run): Promise<Rewrite[]> {
  const text = await readNat(program, run);
  return text.split("\n").flatMap((line) => {
    const [, chain = "", ports, to] =
      /^-A (\S+) .*--dports? ([\d,:]+) .*-j DNAT --to-destination (\S+)/.exec(line) ?? [];
    if (ports === undefined || to === undefined) return [];
    return portsOf(ports).map((port) => ({ chain, port, to }));
  });
}

/**
 * Not asked of iptables-legacy where no module of the kernel does NAT: to be asked makes the kernel
 * load it. A kernel that has the tables built in shows no module of them.
 */
async function readNat(program: string, run: Run): Promise<string> {
  try {
    const version = await run(program, ["--version"]);
    if (version.includes("(legacy)")) {
      const ip = program.startsWith("ip6") ? "ip6" : "ip";
      const isBuiltIn = ["-e", `/proc/net/${ip}_tables_names`, "-a", "!", "-e"];
      const loaded = ["-e", `/sys/module/${ip}table_nat`];
      await run("test", [...loaded, "-o", ...isBuiltIn, `/sys/module/${ip}_tables`]);
    }
    return await run(program, ["-w", "-t", "nat", "-S"]);
  } catch (error) {
    if (error instanceof FirewallError) return ""; // this kernel rewrites nothing, or says nothing
    throw error;
  }
}

/** "993", "110,143", "1000:2000". */
function portsOf(text: string): number[] {
  return text.split(",").flatMap((part) => {
    const [from = 0, to = from] = part.split(":").map(Number);
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
}

/** What is rewritten to an address of this host comes by INPUT. */
async function isHere(to: string, run: Run): Promise<boolean> {
  const address = /^\[(.+)\](?::\d+)?$/.exec(to)?.[1] ?? to.replace(/(?<=\.\d+):.*$/, "");
  try {
    return (await run("ip", ["route", "get", address])).startsWith("local ");
  } catch (error) {
    if (error instanceof FirewallError) return false;
    throw error;
  }
}
