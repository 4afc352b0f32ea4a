/** Can this process change the firewall? Asked before anything is touched. */
import { readFile } from "node:fs/promises";
import { FirewallError, run as runCommand, type Run } from "./command.ts";

export interface FirewallProblem {
  kind: "permission" | "missing";
  /** What is wrong and what to do about it. */
  text: string;
}

/** CAP_NET_ADMIN, capability.h. */
const CAP_NET_ADMIN = 12n;

const PACKAGES = { ipset: "ipset", iptables: "iptables", ip6tables: "iptables" } as const;

export async function checkFirewall(run: Run = runCommand): Promise<FirewallProblem[]> {
  const problems: FirewallProblem[] = [];
  const status = await readFile("/proc/self/status", "utf8");
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  if ((effective >> CAP_NET_ADMIN) % 2n === 0n) {
    problems.push({
      kind: "permission",
      text: "no permission to change the firewall: run as root or with the capability CAP_NET_ADMIN (AmbientCapabilities=CAP_NET_ADMIN in the unit), or set firewall.backend to dry-run",
    });
  }
  for (const [program, debianPackage] of Object.entries(PACKAGES)) {
    try {
      await run(program, ["--version"]);
    } catch (error) {
      if (!(error instanceof FirewallError)) throw error;
      // Without permission ipset does not even tell its version: that is said above.
      if (!isMissing(error.cause)) continue;
      const text = `${program}: is not there; install it: apt-get install ${debianPackage}`;
      problems.push({ kind: "missing", text });
    }
  }
  return problems;
}

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && cause.code === "ENOENT";
}
