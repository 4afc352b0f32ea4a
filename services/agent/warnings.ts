/** Conditions of this host that its operator should know, and what to do about each. */
import type { Jail } from "../wire/settings.ts";
import type { Gap } from "./watcher.ts";
import { FIREWALL_PASSED_OVER, type HostStatus, type Warning } from "../wire/status.ts";

export interface Conditions {
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
  const warnings: Warning[] = [];
  const warn = (code: string, severity: Warning["severity"], text: string) =>
    warnings.push({ code, severity, text });
  if (state !== undefined) {
    const text = `the state cannot be written: ${state}; bans and failures go on, a restart goes on from an older place`;
    warn("state-not-written", "high", text);
  }
  if (publishing !== undefined) {
    const text = `its failures are not counted, NATS does not store them: ${publishing}; they are sent as soon as it does`;
    warn("failures-not-stored", "high", text.slice(0, 500));
  }
  for (const text of leftBehind) warn("firewall-left-behind", "high", text);
  for (const reason of passedOver) warn(FIREWALL_PASSED_OVER, "medium", reason.slice(0, 500));
  for (const { source, foundAt, reason } of gaps) {
    const text = `source ${source} lost lines before ${new Date(foundAt).toISOString()}: ${reason}; failures in them were not counted`;
    warn("source-gap", "high", text.slice(0, 500));
  }
  for (const { name, jail, state, lag } of sources) {
    if (state === "failed") {
      warn("source-failed", "high", `source ${name} cannot be read: run fleetban-agent check`);
    }
    if (state === "waiting") {
      const text = `source ${name}: there is no such file yet; where Dovecot logs into the journal, give its unit in place of a path`;
      warn("source-missing", "medium", text);
    }
    if (lag > MUCH_LAG_BYTES) {
      warn("source-lag", "medium", `source ${name} is ${Math.round(lag / 1e6)} MB behind`);
    }
    if (jails.length > 0 && !jails.some((each) => each.name === jail)) {
      const text = `source ${name} is of jail ${jail}, which the coordinator does not have: nothing counts`;
      warn("unknown-jail", "high", text);
    }
  }
  return warnings;
}
