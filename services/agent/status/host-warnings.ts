/** Conditions of this host that its operator should know, but those of its sources. */
import { warn, type Warning, type WarningFacts } from "../../wire/warnings.ts";
import type { FirewallTrouble } from "../enforce/kernel-sync.ts";

export interface Conditions extends FirewallTrouble {
  /** This host decides for itself, because nobody else does. */
  alone: WarningFacts<"host-alone"> | undefined;
  /** Why the state cannot be written. */
  state: string | undefined;
  /** Why NATS does not store failures. */
  publishing: string | undefined;
  /** Why NATS does not store successful logins. */
  loginDigests: string | undefined;
  /** Why logins fail for a reason of this host's own. */
  logins: string | undefined;
  /** What is still in force of a back end that is no longer in use. */
  leftBehind: readonly string[];
  /** Why back ends that come first in the configuration are not used. */
  passedOver: readonly string[];
}

export function warningsOf(conditions: Conditions): Warning[] {
  const { alone, passedOver, state, publishing, loginDigests, logins, leftBehind } = conditions;
  const { ineffective, refusals, kernelRejected } = conditions;
  const warnings: Warning[] = [];
  // First, because a coordinator looks for this warning, and a status holds a limited number.
  if (logins !== undefined) warnings.push(warn("logins-broken", { reason: logins }));
  if (alone) warnings.push(warn("host-alone", alone));
  for (const reason of ineffective) warnings.push(warn("firewall-not-effective", { reason }));
  for (const reason of refusals) warnings.push(warn("firewall-refuses", { reason }));
  if (kernelRejected) warnings.push(warn("bans-rejected", kernelRejected));
  if (state !== undefined) warnings.push(warn("state-not-written", { reason: state }));
  if (publishing !== undefined) warnings.push(warn("failures-not-stored", { reason: publishing }));
  if (loginDigests !== undefined)
    warnings.push(warn("logins-not-stored", { reason: loginDigests }));
  for (const text of leftBehind) warnings.push(warn("firewall-left-behind", { text }));
  for (const reason of passedOver) warnings.push(warn("firewall-passed-over", { reason }));
  return warnings;
}
