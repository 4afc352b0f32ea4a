/**
 * iptables keeps its rules in one of two places of the kernel, legacy tables or nftables, and the
 * administrator chooses which of them the name `iptables` stands for. Rules in the other place stay in
 * force after a change of that choice: they must be found, or nobody ever lifts them.
 */
import { FirewallError, type Run } from "../command.ts";
import type { Family } from "../names.ts";

export type Iptables = Family["iptables"];

/** The name of the program for the other place; undefined: nothing can be there. */
export async function otherVariant(iptables: Iptables, run: Run): Promise<string | undefined> {
  const isLegacy = (await run(iptables, ["--version"])).includes("(legacy)");
  if (!isLegacy && !(await hasLegacyTables(iptables, run))) return undefined;
  const program = `${iptables}-${isLegacy ? "nft" : "legacy"}`;
  return (await succeeds(program, ["-w", "-S"], run)) ? program : undefined;
}

/** Asking iptables-legacy itself would make the kernel load what nobody uses. */
async function hasLegacyTables(iptables: Iptables, run: Run): Promise<boolean> {
  const tables = `/proc/net/${iptables.replace("tables", "_tables")}_names`;
  if (!(await succeeds("test", ["-e", tables], run))) return false;
  try {
    return (await run("cat", [tables])).split("\n").includes("filter");
  } catch (error) {
    if (!(error instanceof FirewallError)) throw error;
    return true; // only root may read it; but the kernel has loaded it for somebody
  }
}

/** Without IPv6 in the kernel nobody can come by it, and ip6tables has nothing to work on. */
export function hasIpv6(run: Run): Promise<boolean> {
  return succeeds("test", ["-e", "/proc/sys/net/ipv6/conf"], run);
}

async function succeeds(command: string, args: readonly string[], run: Run): Promise<boolean> {
  try {
    await run(command, args);
    return true;
  } catch (error) {
    if (error instanceof FirewallError) return false;
    throw error;
  }
}
