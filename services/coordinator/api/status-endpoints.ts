/** `fleetban status`, `fleetban host list|remove`, `fleetban audit list`. */
import { auditRow, hostRow } from "../../wire/api.ts";
import { awaitsRelease } from "../../wire/ban.ts";
import { FIRST } from "../../wire/reach.ts";
import { MAX_ROWS } from "../../wire/request-fields.ts";
import { shownJail } from "../../wire/settings.ts";
import type { Warning } from "../../wire/warnings.ts";
import { staleRecord } from "../history/stale-answers.ts";
import type { ApiContext } from "./api-context.ts";
import { behind, pageOf } from "./page.ts";
import { ApiError, type Endpoints } from "./api-server.ts";
import { fromRecord } from "./from-record.ts";

type StatusEndpoints = Pick<
  Endpoints,
  "ping.show" | "status.show" | "host.list" | "host.show" | "host.remove" | "audit.list"
>;

export function statusEndpoints(context: ApiContext): StatusEndpoints {
  const { bans, settings, hosts, history, fleet, lease, now } = context;

  return {
    "ping.show"() {
      const { id: coordinator, version } = context;
      return { coordinator, decider: lease.holder(), version, at: now() };
    },

    async "status.show"() {
      const rows = await fleet.hostRows();
      const lag = await history.lag();
      const up = rows.filter(({ state }) => state === "up");
      const warnings = fleet.warnings(rows, lag);
      return {
        version: context.version,
        coordinator: context.id,
        decider: lease.trouble() === undefined ? lease.holder() : null,
        startedAt: context.startedAt,
        hosts: {
          up: up.length,
          down: rows.length - up.length,
          current: up.filter(({ current }) => current).length,
        },
        bans: bans.countInForce(now()),
        heldBans: [...bans.held()].filter((ban) => awaitsRelease(ban, now())).length,
        allowed: settings.allowlist.list().length,
        jails: context
          .jails()
          .slice(0, FIRST)
          .map((jail) => shownJail.parse(jail)),
        jailCount: context.jails().length,
        failures: context.counters.failures.total,
        undecodable: context.counters.undecodable,
        missedOffences: context.missed.total(),
        sparedOffences: context.spared.counts(),
        postgres: { reachable: history.reachable(), lag: lag ?? null },
        warnings: gravestFirst(warnings).slice(0, FIRST),
        warningCounts: countBySeverity(warnings),
      };
    },

    async "host.list"({ limit = MAX_ROWS, after = null }) {
      const { rows, stale } = await fleet.listHosts();
      const found = [...rows]
        .map(([mark, describe]) => ({ row: describe, mark }))
        .sort((a, b) => (a.mark < b.mark ? -1 : 1));
      const marked = behind(found, after)
        .slice(0, limit + 1)
        .map(({ row: describe, mark }) => ({ row: describe(), mark }));
      const { rows: hosts, next } = pageOf(marked, hostRow, limit);
      return { hosts, total: rows.size, next, stale: stale ?? staleRecord(context) };
    },

    async "host.show"({ host }) {
      const { rows, stale } = await fleet.listHosts();
      const describe = rows.get(host);
      if (!describe) throw new ApiError(404, describeUnlisted(host, [...rows.keys()]));
      const { version } = context;
      return { host: describe(), version, stale: stale ?? staleRecord(context) };
    },

    async "host.remove"({ host }) {
      const known = hosts.list().find(({ status }) => status.host === host);
      const wasRecorded = await history.forgetHost(host);
      if (!known && !wasRecorded) throw new ApiError(404, `${host}: is no host that is listed`);
      hosts.forget(host);
      await context.machines.forgetHost(settings, host);
      return { host, wasUp: known !== undefined && hosts.isUp(known) };
    },

    async "audit.list"(query) {
      const { limit } = query;
      const found = await fromRecord(() => history.audit({ ...query, limit: limit + 1 }));
      const { rows, next } = pageOf(found, auditRow, limit);
      return { audit: rows, next, stale: staleRecord(context) };
    },
  };
}

/** As many hosts are named. */
const NAMED = 10;

function describeUnlisted(host: string, names: string[]): string {
  const missing = `${host}: is no host that is listed`;
  if (names.length === 0) return `${missing}; no host has reported yet`;
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : "";
  return `${missing}, expected ${names.sort().slice(0, NAMED).join(", ")}${more}`;
}

const SEVERITIES = ["high", "medium", "low"] as const;

function gravestFirst(warnings: readonly Warning[]): Warning[] {
  return SEVERITIES.flatMap((severity) => warnings.filter((each) => each.severity === severity));
}

function countBySeverity(warnings: readonly Warning[]) {
  const counts = { high: 0, medium: 0, low: 0 };
  for (const { severity } of warnings) counts[severity] += 1;
  return counts;
}
