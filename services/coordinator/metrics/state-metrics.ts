/** Metrics of how the fleet is at the moment of a scrape. */
import { Counter, Gauge, type Registry } from "prom-client";
import { isDown } from "../../wire/host-state.ts";
import { WARNINGS } from "../../wire/warnings.ts";
import type { BanStore } from "../buckets/ban-store.ts";
import type { Lease } from "../buckets/lease.ts";
import type { DeciderCounters } from "../decide/decider.ts";
import type { MissedOffences } from "../decide/missed-offences.ts";
import type { SparedOffences } from "../decide/spared-offences.ts";
import type { History } from "../history/history.ts";
import type { Fleet } from "./fleet.ts";
import { OTHER } from "./label-values.ts";

export interface StateSources {
  counters: DeciderCounters;
  bans: Pick<BanStore, "countDue">;
  history: Pick<History, "reachable">;
  lease: Pick<Lease, "isLeader">;
  missed: Pick<MissedOffences, "byHost">;
  spared: Pick<SparedOffences, "counts">;
  jails: () => readonly { name: string }[];
  version: string;
  now: () => number;
  hostLabel: (host: string) => string;
}

/** Returns what brings the metrics up to date; `fleet` is how the fleet is now. */
export function createStateMetrics(registry: Registry, sources: StateSources) {
  const { counters, history, lease, missed, spared, hostLabel } = sources;
  const metrics = registerStateMetrics(registry);
  const setBans = createBanGauges(registry, sources);
  metrics.build.set({ version: sources.version }, 1);

  return (fleet: Fleet): void => {
    metrics.failures.reset();
    for (const { jail, host, attempts } of counters.failures.entries()) {
      metrics.failures.inc({ jail, host: hostLabel(host) }, Math.max(attempts, 0));
    }
    metrics.undecodable.reset();
    metrics.undecodable.inc(counters.undecodable);
    metrics.tracked.set(counters.tracked());
    metrics.due.set(counters.due());
    metrics.leads.set(lease.isLeader() ? 1 : 0);
    const up = fleet.rows.filter(({ state }) => state === "up").length;
    metrics.hosts.set({ state: "up" }, up);
    const down = fleet.rows.filter(isDown).length;
    metrics.hosts.set({ state: "down" }, down);
    metrics.reachable.set(history.reachable() ? 1 : 0);
    metrics.lag.set(fleet.lag ?? NaN);
    for (const code of Object.keys(WARNINGS)) metrics.warnings.set({ code }, 0);
    metrics.warnings.set({ code: OTHER }, 0);
    // What an agent of another version warns of is counted under one name.
    for (const { code } of fleet.warnings)
      metrics.warnings.inc({ code: code in WARNINGS ? code : OTHER });
    metrics.missedOffences.reset();
    for (const { host } of fleet.rows) metrics.missedOffences.inc({ host: hostLabel(host) }, 0);
    for (const [host, count] of missed.byHost())
      metrics.missedOffences.inc({ host: hostLabel(host) }, count);
    metrics.sparedOffences.reset();
    for (const [cause, count] of Object.entries(spared.counts()))
      metrics.sparedOffences.inc({ cause }, count);
    setBans();
  };
}

/** The names and texts stand in docs/metrics.md. */
function registerStateMetrics(registry: Registry) {
  const registers = [registry];
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge({ name, help, labelNames, registers });
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name, help, labelNames, registers });

  const build = gauge("fleetban_build_info", "1, with the version of this coordinator", [
    "version",
  ]);
  const failures = counter("fleetban_failures_total", "Failed attempts counted", ["jail", "host"]);
  const undecodable = counter(
    "fleetban_undecodable_messages_total",
    "Messages of failures that cannot be decoded",
  );
  const tracked = gauge("fleetban_tracked_addresses", "Addresses with counted failures");
  const due = gauge("fleetban_due_bans", "Bans that are decided and not yet written");
  const leads = gauge("fleetban_lease_held", "1 on the coordinator that decides, else 0");
  const hosts = gauge("fleetban_hosts", "Hosts, by whether they were heard lately", ["state"]);
  const reachable = gauge("fleetban_postgres_up", "1 if PostgreSQL answered last time, else 0");
  const lag = gauge("fleetban_recorder_lag_messages", "Messages that PostgreSQL does not have yet");
  const warnings = gauge(
    "fleetban_warnings",
    "Warnings of the fleet that hold now, as fleetban status shows them",
    ["code"],
  );
  const missedOffences = counter(
    "fleetban_missed_offences_total",
    "Offences that were over before a ban could be written",
    ["host"],
  );
  const sparedOffences = counter(
    "fleetban_spared_offences_total",
    "Offences that brought no ban: of the allowlist, or of a machine of the fleet",
    ["cause"],
  );
  const ofDecider = { failures, undecodable, tracked, due, leads };
  const ofFleet = { hosts, reachable, lag, warnings, missedOffences, sparedOffences };
  return { build, ...ofDecider, ...ofFleet };
}

const BAN_GAUGES = {
  active: ["fleetban_bans_in_force", "Bans in force"],
  held: ["fleetban_bans_held", "Bans that a guard holds, in force nowhere"],
  shadow: ["fleetban_bans_in_shadow", "Bans of jails in shadow mode, in force nowhere"],
} as const;

function createBanGauges(registry: Registry, { bans, jails, now }: StateSources): () => void {
  const [active, held, shadow] = Object.values(BAN_GAUGES).map(
    ([name, help]) => new Gauge({ name, help, labelNames: ["jail"], registers: [registry] }),
  );
  return () => {
    const at = now();
    for (const one of [active, held, shadow]) {
      one?.reset();
      for (const { name } of jails()) one?.set({ jail: name }, 0);
    }
    const gauges = { active, held, shadow };
    for (const { state, jail, count } of bans.countDue(at)) gauges[state]?.set({ jail }, count);
  };
}
