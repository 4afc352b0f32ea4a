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
  const group = new MetricGroup(registry);
  const ofHost = registerHostMetrics(group);
  const ofSource = registerSourceMetrics(group);
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
    ofHost.behind.set({ host }, revisionLag(status));
    ofHost.effective.set({ host }, isEffective(status) ? 1 : 0);
    ofHost.inForce.set({ host }, status.bansInForce);
    ofHost.refused.set({ host }, status.refused.length);
    ofHost.repairs.inc({ host }, status.repairs);
    for (const { name, ...counts } of status.sources) {
      const source = sourceLabel(host, name);
      if (source === OTHER) continue;
      ofSource.lag.set({ host, source }, counts.lag);
      ofSource.reading.set({ host, source }, counts.state === "reading" ? 1 : 0);
      ofSource.lines.inc({ host, source }, counts.lines);
      ofSource.failures.inc({ host, source }, counts.failures);
      ofSource.unrecognized.inc({ host, source }, counts.unrecognized ?? 0);
    }
  }

  return (rows: readonly HostRow[]): void => {
    group.reset();
    for (const row of rows) {
      const host = hostLabel(row.host);
      if (host === OTHER) continue;
      if (!row.awaited) {
        ofHost.up.set({ host }, row.state === "up" ? 1 : 0);
        ofHost.seen.set({ host }, row.lastSeenAt / 1000);
      }
      ofHost.quarantined.set({ host }, row.quarantine ? 1 : 0);
      for (const { code } of warningsOfRow(row)) {
        ofHost.warnings.inc({ host, code: code in WARNINGS ? code : OTHER });
      }
      if (!row.status) continue;
      ofHost.clock.set({ host }, row.clockSkew / 1000);
      setStatus(host, row.status);
    }
  };
}

/** Metrics that are set anew as a whole. */
class MetricGroup {
  readonly #registers: Registry[];
  readonly #all: { reset(): void }[] = [];

  constructor(registry: Registry) {
    this.#registers = [registry];
  }

  gauge<L extends string>(name: string, help: string, labelNames: readonly L[]): Gauge<L> {
    const registers = this.#registers;
    const gauge = new Gauge({ name: `fleetban_${name}`, help, labelNames, registers });
    this.#all.push(gauge);
    return gauge;
  }

  counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    const registers = this.#registers;
    const counter = new Counter({ name: `fleetban_${name}`, help, labelNames, registers });
    this.#all.push(counter);
    return counter;
  }

  reset(): void {
    for (const metric of this.#all) metric.reset();
  }
}

/** The names and texts stand in docs/metrics.md. */
function registerHostMetrics(group: MetricGroup) {
  const gauge = (name: string, help: string) => group.gauge(`host_${name}`, help, ["host"]);
  return {
    up: gauge("up", "1 if the host was heard within the last 30 seconds, else 0"),
    seen: gauge("last_seen_timestamp_seconds", "When the host was heard last"),
    behind: gauge("revision_lag", "Changes of bans that the host has not applied yet"),
    clock: gauge("clock_difference_seconds", "The host's clock less the coordinator's"),
    effective: gauge("effective", "1 if bans drop packets there, as far as the host can tell"),
    inForce: gauge("bans_in_force", "Bans in the host's kernel, read back"),
    refused: gauge("refused_bans", "Bans that the host would not apply; at most the last 20"),
    quarantined: gauge("quarantined", "1 if failures of the host do not count, else 0"),
    repairs: group.counter(
      "host_repairs_total",
      "Repairs of the firewall since the agent's start",
      ["host"],
    ),
    warnings: group.gauge("host_warnings", "Warnings of the host that hold now", ["host", "code"]),
  };
}

function registerSourceMetrics(group: MetricGroup) {
  const labels = ["host", "source"] as const;
  const gauge = (name: string, help: string) => group.gauge(`source_${name}`, help, labels);
  const counter = (name: string, help: string) => group.counter(`source_${name}`, help, labels);
  return {
    lag: gauge("lag_bytes", "Bytes of a log that are written and not yet published"),
    reading: gauge("reading", "1 if the source is read, else 0"),
    lines: counter("lines_total", "Lines read since the agent's start"),
    failures: counter("failures_total", "Failed attempts found since the agent's start"),
    unrecognized: counter(
      "unrecognized_lines_total",
      "Lines that look like attempts and are not understood, since the agent's start",
    ),
  };
}
