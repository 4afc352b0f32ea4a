/** Conditions of this host that its operator should know. */
import type { Jail } from "../wire/settings.ts";
import type { HostStatus } from "../wire/status.ts";
import { warn, type Warning } from "../wire/warnings.ts";
import type { FirewallTrouble } from "./enforcer.ts";
import type { Gap } from "./watcher.ts";

export interface Conditions extends FirewallTrouble {
  sources: HostStatus["sources"];
  gaps: readonly Gap[];
  jails: readonly Jail[];
  /** Why the state cannot be written. */
  state: string | undefined;
  /** Why NATS does not store failures. */
  publishing: string | undefined;
  /** What is still in force of a back end that is no longer in use. */
  leftBehind: readonly string[];
  /** Why back ends that come first in the configuration are not used. */
  passedOver: readonly string[];
}

/** A source that is further behind than this does not keep up. */
const MUCH_LAG_BYTES = 10_000_000;

export function warningsOf(conditions: Conditions): Warning[] {
  const { sources, gaps, jails, passedOver, state, publishing, leftBehind } = conditions;
  const { ineffective, kernelRejected } = conditions;
  const warnings: Warning[] = [];
  for (const reason of ineffective) warnings.push(warn("firewall-not-effective", { reason }));
  if (kernelRejected) warnings.push(warn("bans-rejected", kernelRejected));
  if (state !== undefined) warnings.push(warn("state-not-written", { reason: state }));
  if (publishing !== undefined) warnings.push(warn("failures-not-stored", { reason: publishing }));
  for (const text of leftBehind) warnings.push(warn("firewall-left-behind", { text }));
  for (const reason of passedOver) warnings.push(warn("firewall-passed-over", { reason }));
  for (const gap of gaps) warnings.push(warn("source-gap", gap, gap.source));
  for (const source of sources) warnings.push(...warningsOfSource(source, jails));
  return warnings;
}

function warningsOfSource(
  { name: source, jail, state, lag }: HostStatus["sources"][number],
  jails: readonly Jail[],
): Warning[] {
  const warnings: Warning[] = [];
  if (state === "failed") warnings.push(warn("source-failed", { source }, source));
  if (state === "waiting") warnings.push(warn("source-missing", { source }, source));
  if (lag > MUCH_LAG_BYTES) {
    warnings.push(warn("source-lag", { source, megabytes: Math.round(lag / 1e6) }, source));
  }
  if (jails.length > 0 && !jails.some(({ name }) => name === jail)) {
    warnings.push(warn("unknown-jail", { source, jail }, source));
  }
  return warnings;
}
