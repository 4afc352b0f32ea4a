/**
 * A published port may have another number behind it: Docker rewrites 993 to 31993 before any filter
 * sees the packet. The kernel's connection tracking remembers the number that the client has used.
 */
import { FirewallError, type Run } from "./command.ts";

/**
 * rewritten: also packets whose port was rewritten. Its rules switch connection tracking on, which a busy
 * host may do without for good reasons. So they are left out where nothing else has switched it
 * on: without it no port can have been rewritten.
 */
export type PortMatch = "as they arrive" | "rewritten";

/** Where packets are forwarded, ports are rewritten, or will be as soon as Docker starts. */
export async function portMatch(chains: readonly string[], run: Run): Promise<PortMatch> {
  if (chains.some((chain) => chain !== "INPUT")) return "rewritten";
  try {
    await run("test", ["-e", "/proc/sys/net/netfilter/nf_conntrack_count"]);
    return "rewritten";
  } catch (error) {
    if (error instanceof FirewallError) return "as they arrive";
    throw error;
  }
}
