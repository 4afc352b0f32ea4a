/**
 * Metrics of each host, from its last status.
 *
 * A host that the coordinator has not heard since it started has no status: only whether it is up,
 * and when it was seen last. Hosts for which a label has no room are left out; `fleetban_hosts`
 * counts them.
 */
import { Counter, Gauge, type Registry } from "prom-client";
import type { HostRow } from "../../wire/api.ts";
import { isEffective, type HostStatus } from "../../wire/status.ts";
import { WARNINGS } from "../../wire/warnings.ts";
import type { BanStore } from "../buckets/ban-store.ts";
import { warningsOfRow } from "../hosts/fleet-status.ts";
import { createLabelValues, OTHER } from "./label-values.ts";

/** A status names no more sources; an agent that renames them all the time gets no more series. */
const SOURCES_PER_HOST = 64;

export interface HostMetricsOptions {
  bans: Pick<BanStore, "revision" | "created">;
  hostLabel: (host: string) => string;
}

/** Returns what brings the metrics up to date. */
export function createHostMetrics(registry: Registry, { bans, hostLabel }: HostMetricsOptions) {
  const registers = [registry];
  const all: { reset(): void }[] = [];
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[]) => {
    const made = new Gauge({ name: `fleetban_${name}`, help, labelNames, registers });
    all.push(made);
    return made;
  };
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) => {
    const made = new Counter({ name: `fleetban_${name}`, help, labelNames, registers });
    all.push(made);
    return made;
  };
  const ofHost = (name: string, help: string) => gauge(`host_${name}`, help, ["host"]);
  const ofSource = (name: string, help: string) =>
    counter(`source_${name}`, help, ["host", "source"]);

  const up = ofHost("up", "1 if the host was heard within the last 30 seconds, else 0");
  const seen = ofHost("last_seen_timestamp_seconds", "When the host was heard last");
  const behind = ofHost("revision_lag", "Changes of bans that the host has not applied yet");
  const clock = ofHost("clock_difference_seconds", "The host's clock less the coordinator's");
  const effective = ofHost(
    "effective",
    "1 if bans drop packets there, as far as the host can tell",
  );
  const inForce = ofHost("bans_in_force", "Bans in the host's kernel, read back");
  const refused = ofHost("refused_bans", "Bans that the host would not apply; at most the last 20");
  const quarantined = ofHost("quarantined", "1 if failures of the host do not count, else 0");
  const repairs = counter("host_repairs_total", "Repairs of the firewall since the agent's start", [
    "host",
  ]);
  const warnings = gauge("host_warnings", "Warnings of the host that hold now", ["host", "code"]);
  const lag = gauge("source_lag_bytes", "Bytes of a log that are written and not yet published", [
    "host",
    "source",
  ]);
  const reading = gauge("source_reading", "1 if the source is read, else 0", ["host", "source"]);
  const lines = ofSource("lines_total", "Lines read since the agent's start");
  const failures = ofSource("failures_total", "Failed attempts found since the agent's start");
  const unrecognized = ofSource(
    "unrecognized_lines_total",
    "Lines that look like attempts and are not understood, since the agent's start",
  );

  const sourceLabels = new Map<string, (source: string) => string>();
  function sourceLabel(host: string, source: string): string {
    const label = sourceLabels.get(host) ?? createLabelValues(SOURCES_PER_HOST);
    sourceLabels.set(host, label);
    return label(source);
  }

  function revisionLag({ bansCreated, revision }: HostStatus): number {
    const applied = bansCreated === bans.created() ? revision : 0;
    return Math.max(bans.revision() - applied, 0);
  }

  function setStatus(host: string, status: HostStatus): void {
    behind.set({ host }, revisionLag(status));
    effective.set({ host }, isEffective(status) ? 1 : 0);
    inForce.set({ host }, status.bansInForce);
    refused.set({ host }, status.refused.length);
    repairs.inc({ host }, status.repairs);
    for (const { name, ...counts } of status.sources) {
      const source = sourceLabel(host, name);
      if (source === OTHER) continue;
      lag.set({ host, source }, counts.lag);
      reading.set({ host, source }, counts.state === "reading" ? 1 : 0);
      lines.inc({ host, source }, counts.lines);
      failures.inc({ host, source }, counts.failures);
      unrecognized.inc({ host, source }, counts.unrecognized ?? 0);
    }
  }

  return (rows: readonly HostRow[]): void => {
    for (const metric of all) metric.reset();
    for (const row of rows) {
      const host = hostLabel(row.host);
      if (host === OTHER) continue;
      up.set({ host }, row.state === "up" ? 1 : 0);
      seen.set({ host }, row.lastSeenAt / 1000);
      quarantined.set({ host }, row.quarantine ? 1 : 0);
      for (const { code } of warningsOfRow(row)) {
        warnings.inc({ host, code: code in WARNINGS ? code : OTHER });
      }
      if (!row.status) continue;
      clock.set({ host }, row.clockSkew / 1000);
      setStatus(host, row.status);
    }
  };
}
