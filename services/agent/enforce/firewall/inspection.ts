/** How the firewall of a host is, without changing anything: for `fleetban-agent check`. */
import { run as runCommand, type Run } from "./command.ts";
import type { FirewallJail, FirewallKind } from "./firewall.ts";
import { createChains } from "./iptables/iptables-chains.ts";
import { FAMILIES } from "./names.ts";
import { readTable } from "./nftables/nftables-reading.ts";
import { hooksFor, TABLE } from "./nftables/nftables-table.ts";

/** undefined: fleetban has no rules here yet; empty: they drop packets of banned addresses. */
export async function inspectRules(
  kind: Exclude<FirewallKind, "dry-run">,
  chains: readonly string[],
  jails: readonly FirewallJail[],
  run: Run = runCommand,
): Promise<string[] | undefined> {
  if (kind === "nftables") return inspectTable(chains, run);
  const found = await Promise.all(
    FAMILIES.map((family) => createChains(family, chains, run).inspect(jails)),
  );
  return found.includes(undefined) ? undefined : found.flatMap((reasons) => reasons ?? []);
}

async function inspectTable(chains: readonly string[], run: Run): Promise<string[] | undefined> {
  const table = await readTable(run);
  if (!table) return undefined;
  const missing = hooksFor(chains).filter((hook) => !table.chains.includes(hook));
  return [
    ...(table.isDormant ? [`nftables: table ${TABLE} is dormant`] : []),
    ...missing.map((hook) => `nftables: chain ${hook} is missing`),
  ];
}
