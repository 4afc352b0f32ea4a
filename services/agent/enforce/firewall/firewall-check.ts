/** Can a back end be used here? Asked before anything is touched. */
import { readFile } from "node:fs/promises";
import { FirewallError, run as runCommand, type Run } from "./command.ts";
import type { FirewallKind } from "./firewall.ts";
import { portMatch } from "./connection-tracking.ts";
import { createSetLine } from "./ipset/ipset-sets.ts";
import { DOCKERS } from "./iptables/iptables-chains.ts";
import { hasChain, parseTable } from "./iptables/iptables-table.ts";
import { hasIpv6 } from "./iptables/iptables-variants.ts";
import { FAMILIES, type Family } from "./names.ts";
import { explainMissingChain } from "./not-effective.ts";
import { readTable } from "./nftables/nftables-reading.ts";
import { hooksFor, layoutScript, plainSets, whyUnhooked } from "./nftables/nftables-table.ts";
import { isErrno } from "../../../process/file-error.ts";

/** CAP_NET_ADMIN, capability.h. */
const CAP_NET_ADMIN = 12n;

/** undefined: this process may change the firewall. */
export async function whyForbidden(): Promise<string | undefined> {
  const status = await readFile("/proc/self/status", "utf8");
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  if ((effective >> CAP_NET_ADMIN) % 2n === 1n) return undefined;
  return "no permission to change the firewall: run as root or with the capability CAP_NET_ADMIN (AmbientCapabilities=CAP_NET_ADMIN in the unit), or set firewall.backend to dry-run";
}

interface Needs {
  /** Programs, with Debian's packages that have them. */
  programs: Readonly<Record<string, string>>;
  modules: readonly string[];
  /** Does what the back end does, on objects that lead nowhere and are gone afterwards. */
  attempt: (chains: readonly string[], run: Run) => Promise<void>;
}

const NEEDS: Record<Exclude<FirewallKind, "dry-run">, Needs> = {
  ipset: {
    programs: { ipset: "ipset", iptables: "iptables", ip6tables: "iptables" },
    modules: ["ip_set", "ip_set_hash_net", "xt_set"],
    attempt: tryIpset,
  },
  nftables: {
    programs: { nft: "nftables" },
    modules: ["nf_tables", "nf_tables_inet"],
    attempt: tryNftables,
  },
  iptables: {
    programs: { iptables: "iptables", ip6tables: "iptables" },
    modules: ["xt_multiport", "xt_time"],
    attempt: tryIptables,
  },
};

/** Why a back end cannot be used, and what to do about it. */
export interface Unusable {
  reason: string;
  /** The kernel refuses it, which may change while the agent runs: a module is loaded, for example. */
  isForNow: boolean;
}

const forGood = (reason: string): Unusable => ({ reason, isForNow: false });

/** undefined: it can be used. */
export async function whyUnusable(
  kind: FirewallKind,
  chains: readonly string[],
  run: Run = runCommand,
): Promise<Unusable | undefined> {
  if (kind === "dry-run") return undefined;
  const { programs, modules, attempt } = NEEDS[kind];
  const unhooked = kind === "nftables" ? whyUnhooked(chains) : undefined;
  if (unhooked !== undefined) return forGood(`nftables: cannot be used: ${unhooked}`);
  for (const [program, debianPackage] of Object.entries(programs)) {
    if (program === "ip6tables" && !(await hasIpv6(run))) continue;
    try {
      await run(program, ["--version"]);
    } catch (error) {
      if (!(error instanceof FirewallError)) throw error;
      // Without a kernel that knows it ipset does not even tell its version: that is said below.
      if (!isMissing(error)) continue;
      return forGood(`${program}: is not there; install it: apt-get install ${debianPackage}`);
    }
  }
  try {
    await attempt(chains, run);
    const missing = kind === "nftables" ? undefined : await whyNoChain(chains, run);
    return missing === undefined ? undefined : forGood(`${kind}: ${missing}`);
  } catch (error) {
    if (!(error instanceof FirewallError)) throw error;
    const said = error.message.replaceAll(/\s*\n\s*/g, " ");
    const remedy = `load the kernel's modules: modprobe -a ${modules.join(" ")}`;
    return { reason: `${kind}: cannot be used: ${said}; ${remedy}`, isForNow: true };
  }
}

/** Whether a command failed because there is no such program. */
export function isMissing({ cause }: FirewallError): boolean {
  return isErrno(cause, "ENOENT");
}

/** No jail can have this name, so nothing of a jail is touched. */
const TRIAL = "fleetban~try";

/** undefined: all chains exist. Docker's chain may be missing, because the agent makes it. */
async function whyNoChain(chains: readonly string[], run: Run): Promise<string | undefined> {
  for (const { family, iptables } of FAMILIES) {
    if (family === 6 && !(await hasIpv6(run))) continue;
    const table = parseTable(await run(iptables, ["-w", "-S"]));
    const missing = chains.find((chain) => !hasChain(chain, table) && chain !== DOCKERS);
    if (missing !== undefined) return `${iptables}: ${explainMissingChain(missing, table)}`;
  }
  return undefined;
}

async function tryIpset(_chains: readonly string[], run: Run): Promise<void> {
  for (const family of FAMILIES) {
    const set = `${TRIAL}-${family.family}`;
    await run("ipset", ["restore", "-exist"], `${createSetLine(set, family)}\n`);
    try {
      await tryRule(family, `-m set --match-set ${set} src -j DROP`, run);
    } finally {
      await run("ipset", ["destroy", set]);
    }
  }
}

async function tryIptables(_chains: readonly string[], run: Run): Promise<void> {
  const rule = "-p tcp -m multiport --dports 143 -m time --datestop 2030-01-01T00:00:00 -j DROP";
  for (const family of FAMILIES) await tryRule(family, rule, run);
}

/** The kernel takes the rule in a chain that is gone when the restore is done. */
async function tryRule({ family, iptables }: Family, rule: string, run: Run): Promise<void> {
  if (family === 6 && !(await hasIpv6(run))) return;
  const lines = [`:${TRIAL} - [0:0]`, `-A ${TRIAL} ${rule}`, `-F ${TRIAL}`, `-X ${TRIAL}`];
  const script = ["*filter", ...lines, "COMMIT", ""].join("\n");
  await run(`${iptables}-restore`, ["-w", "--noflush"], script);
}

/** nft has the kernel check the script without doing it. */
async function tryNftables(chains: readonly string[], run: Run): Promise<void> {
  const jail = { name: "try", ports: [143] };
  const script = layoutScript(
    {
      hooks: hooksFor(chains),
      jails: [jail],
      sets: new Set(plainSets("try")),
      match: await portMatch(chains, run),
    },
    { chains: [], sets: [] },
  );
  await run("nft", ["-c", "-f", "-"], `${script.join("\n")}\n`);
  await readTable(run);
}
