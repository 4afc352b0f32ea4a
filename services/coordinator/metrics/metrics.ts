/**
 * What `/metrics` and `fleetban metrics` show, in Prometheus's words and units.
 *
 * Every coordinator counts failures and changes of bans, whether it decides or not. Durations,
 * notifications and requests are counted by the coordinator that does them. docs/metrics.md says
 * how both are added up.
 */
import { collectDefaultMetrics, Registry } from "prom-client";
import { createEventMetrics, type EventMetrics } from "./event-metrics.ts";
import type { Fleet } from "./fleet.ts";
import { createHostMetrics, type HostMetricsOptions } from "./host-metrics.ts";
import { createLabelValues } from "./label-values.ts";
import { createStateMetrics, type StateSources } from "./state-metrics.ts";
import { rowsOf, type MetricRow } from "./metric-rows.ts";

export interface MetricsSources
  extends Omit<StateSources, "hostLabel">, Omit<HostMetricsOptions, "hostLabel"> {
  bans: StateSources["bans"] & HostMetricsOptions["bans"];
  readFleet: () => Promise<Fleet>;
}

export interface Metrics {
  /** Counts what happens. */
  readonly events: EventMetrics;
  /** From here on there is something to show. */
  watch(sources: MetricsSources): void;
  /** Text for a scraper; undefined: there is nothing to show yet. */
  read(): Promise<{ type: string; text: string } | undefined>;
  /** The same for people. */
  rows(): Promise<MetricRow[]>;
}

/** Series of hosts beyond this many are not shown one by one. */
const HOSTS = 2_000;
/** Gauges that prom-client calls `_total`, which Prometheus keeps for counters. */
const MISNAMED = [
  "nodejs_active_handles_total",
  "nodejs_active_requests_total",
  "nodejs_active_resources_total",
];
/** How often the event loop's delay is measured: each measurement wakes the process up. */
const EVENT_LOOP_EVERY_MS = 100;

export function createMetrics(sinks: readonly string[]): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: EVENT_LOOP_EVERY_MS });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  const events = createEventMetrics(registry, sinks);
  let refresh: (() => Promise<void>) | undefined;

  return {
    events,
    watch(sources) {
      const hostLabel = createLabelValues(HOSTS);
      const setState = createStateMetrics(registry, { ...sources, hostLabel });
      const setHosts = createHostMetrics(registry, { bans: sources.bans, hostLabel });
      refresh = async () => {
        const fleet = await sources.readFleet();
        events.showJails(sources.jails());
        setState(fleet);
        setHosts(fleet.rows);
      };
    },
    async read() {
      if (!refresh) return undefined;
      await refresh();
      return { type: registry.contentType, text: await registry.metrics() };
    },
    async rows() {
      await refresh?.();
      return rowsOf(await registry.getMetricsAsJSON());
    },
  };
}
