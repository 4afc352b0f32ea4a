/** Metrics of what happens: each event is counted when it happens. */
import { Counter, Histogram, type Registry } from "prom-client";
import type { Ban } from "../../wire/ban.ts";
import { api, type ApiErrorCode } from "../../wire/api.ts";
import { BAN_CAUSES, countedChange, UNBAN_CAUSES } from "./ban-changes.ts";
import { OTHER } from "./label-values.ts";

/** What became of a message to a sink. */
export type NotificationResult = "sent" | "retry" | "refused" | "gone";
const RESULTS: readonly NotificationResult[] = ["sent", "retry", "refused", "gone"];

export interface EventMetrics {
  /** Shows 0 for what has not happened yet: Prometheus sees no rise from nothing to 1. */
  showJails(jails: readonly { name: string }[]): void;
  /** An entry of the bans bucket has changed from `previous` to `ban`. */
  banChanged(ban: Ban, previous: Ban | undefined): void;
  /** A ban was written: `milliseconds` after NATS had stored the failure that brought it. */
  decided(milliseconds: number): void;
  /** A host has reported a ban in force: `milliseconds` after the ban was written. */
  enforced(milliseconds: number): void;
  /** `hosts` is the number of hosts that have not reported a ban in force in time. */
  enforcedLate(hosts: number): void;
  notified(sink: string, result: NotificationResult): void;
  /** `code`: 200, or that of the error reply. */
  answered(endpoint: string, code: 200 | ApiErrorCode): void;
}

const DECISION_BUCKETS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 1, 10];
const ENFORCEMENT_BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 10];

export function createEventMetrics(registry: Registry, sinks: readonly string[]): EventMetrics {
  const metrics = registerEventMetrics(registry);
  const { bans, unbans, heldBans, shadowBans, decisions, enforcements } = metrics;
  for (const sink of sinks) {
    for (const result of RESULTS) metrics.notifications.inc({ sink, result }, 0);
  }

  return {
    showJails(jails) {
      for (const { name: jail } of jails) {
        for (const cause of BAN_CAUSES) bans.inc({ jail, cause }, 0);
        for (const cause of UNBAN_CAUSES) unbans.inc({ jail, cause }, 0);
        heldBans.inc({ jail }, 0);
        shadowBans.inc({ jail }, 0);
      }
    },
    banChanged(ban, previous) {
      const { jail } = ban;
      const change = countedChange(ban, previous);
      switch (change?.type) {
        case "banned":
          bans.inc({ jail, cause: change.cause });
          break;
        case "unbanned":
          unbans.inc({ jail, cause: change.cause });
          break;
        case "held":
          heldBans.inc({ jail });
          break;
        case "shadow":
          shadowBans.inc({ jail });
          break;
        case undefined:
      }
    },
    decided: (milliseconds) => decisions.observe(Math.max(milliseconds, 0) / 1000),
    enforced: (milliseconds) => enforcements.observe(Math.max(milliseconds, 0) / 1000),
    enforcedLate: (hosts) => metrics.late.inc(hosts),
    notified: (sink, result) => metrics.notifications.inc({ sink, result }),
    answered(endpoint, code) {
      const name = Object.hasOwn(api, endpoint) ? endpoint : OTHER;
      metrics.requests.inc({ endpoint: name, code: String(code) });
    },
  };
}

/** What Prometheus sees; the names and texts stand in docs/metrics.md. */
function registerEventMetrics(registry: Registry) {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name, help, labelNames, registers });

  const bans = counter("fleetban_bans_total", "Bans that came into force", ["jail", "cause"]);
  const unbans = counter("fleetban_unbans_total", "Bans in force that have ended", [
    "jail",
    "cause",
  ]);
  const heldBans = counter("fleetban_held_bans_total", "Bans that a guard has held", ["jail"]);
  const shadowBans = counter(
    "fleetban_shadow_bans_total",
    "Bans of jails in shadow mode, which are in force nowhere",
    ["jail"],
  );
  const decisions = new Histogram({
    name: "fleetban_decision_duration_seconds",
    help: "From the failure stored in NATS to the ban written, of automatic bans",
    buckets: DECISION_BUCKETS,
    registers,
  });
  const enforcements = new Histogram({
    name: "fleetban_enforcement_duration_seconds",
    help: "From the ban written to the report of each host that its kernel has it, of automatic bans",
    buckets: ENFORCEMENT_BUCKETS,
    registers,
  });
  const late = counter(
    "fleetban_late_enforcements_total",
    "Hosts that had not reported a ban in force 10 seconds after it was written",
  );
  const notifications = counter(
    "fleetban_notifications_total",
    "Messages to sinks, by what has become of them",
    ["sink", "result"],
  );
  const requests = counter(
    "fleetban_api_requests_total",
    "Requests of the CLI, by the code of the answer; 200 is no error",
    ["endpoint", "code"],
  );
  const ofBans = { bans, unbans, heldBans, shadowBans };
  return { ...ofBans, decisions, enforcements, late, notifications, requests };
}
