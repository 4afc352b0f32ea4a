/** What `/metrics` shows, in Prometheus's words. */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { BanStore } from "../buckets/ban-store.ts";
import type { Decider } from "../decide/decider.ts";
import type { History } from "../history/history.ts";
import type { Hosts } from "../hosts/hosts.ts";
import type { Lease } from "../buckets/lease.ts";
import type { MissedOffences } from "../decide/missed-offences.ts";
import type { SparedOffences } from "../decide/spared-offences.ts";
import { WARNINGS, type Warning } from "../../wire/warnings.ts";

export interface MetricsSources {
  decider: Pick<Decider, "counters">;
  bans: Pick<BanStore, "countInForce">;
  hosts: Pick<Hosts, "list" | "isUp">;
  history: Pick<History, "lag">;
  lease: Pick<Lease, "isLeader">;
  missed: Pick<MissedOffences, "byHost">;
  spared: Pick<SparedOffences, "counts">;
  /** Every warning of the fleet that holds now. */
  readWarnings: () => Promise<readonly Warning[]>;
  now: () => number;
}

export interface Metrics {
  /** Text for a scraper. */
  read(): Promise<{ type: string; text: string }>;
  /** A ban was written, this many milliseconds after NATS had stored the failure that brought it. */
  banned(milliseconds: number): void;
}

export function createMetrics(sources: MetricsSources): Metrics {
  const { bans, hosts, history, lease, missed, spared, readWarnings, now } = sources;
  const { counters } = sources.decider;
  const registry = new Registry();
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number | Promise<number>) =>
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        this.set(await read());
      },
    });
  gauge("fleetban_failures", "Failed attempts counted since the start", () => counters.failures);
  gauge("fleetban_undecodable", "Undecodable messages", () => counters.undecodable);
  gauge("fleetban_tracked_addresses", "Addresses with counted failures", counters.tracked);
  gauge("fleetban_due_bans", "Bans that are decided and not yet written", counters.due);
  gauge("fleetban_bans_in_force", "Bans in force", () => bans.countInForce(now()));
  gauge("fleetban_lease_held", "1 where this one decides", () => (lease.isLeader() ? 1 : 0));
  gauge("fleetban_hosts_up", "Hosts heard lately", () => hosts.list().filter(hosts.isUp).length);
  gauge(
    "fleetban_recorder_lag",
    "Messages not yet in PostgreSQL",
    async () => (await history.lag()) ?? NaN,
  );
  new Gauge({
    name: "fleetban_warnings",
    help: "Warnings of the fleet that hold now, as fleetban status shows them",
    labelNames: ["code"],
    registers,
    async collect() {
      this.reset();
      for (const code of Object.keys(WARNINGS)) this.set({ code }, 0);
      // What an agent of another version warns of is counted under one name.
      for (const { code } of await readWarnings()) {
        this.inc({ code: code in WARNINGS ? code : "other" });
      }
    },
  });
  new Gauge({
    name: "fleetban_missed_offences",
    help: "Offences since the start that were over before a ban could be written",
    labelNames: ["host"],
    registers,
    collect() {
      this.reset();
      for (const [host, count] of missed.byHost()) this.set({ host }, count);
    },
  });
  new Gauge({
    name: "fleetban_spared_offences",
    help: "Offences since the start that brought no ban: allowlist, or a machine of the fleet",
    labelNames: ["because"],
    registers,
    collect() {
      for (const [because, count] of Object.entries(spared.counts())) this.set({ because }, count);
    },
  });
  const banned = new Counter({ name: "fleetban_bans_total", help: "Bans decided", registers });
  const latency = new Histogram({
    name: "fleetban_decide_seconds",
    help: "From the failure stored in NATS to the ban written",
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 1, 10],
    registers,
  });
  return {
    async read() {
      return { type: registry.contentType, text: await registry.metrics() };
    },
    banned(milliseconds) {
      banned.inc();
      latency.observe(Math.max(milliseconds, 0) / 1000);
    },
  };
}
