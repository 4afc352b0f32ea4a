/** `fleetban status`, `fleetban audit list`, and whether a coordinator is there. */
import { isDown } from "../../wire/host-state.ts";
import { auditRow } from "../../wire/api.ts";
import { awaitsRelease } from "../../wire/ban.ts";
import { FIRST } from "../../wire/reach.ts";
import { shownJail } from "../../wire/settings.ts";
import type { Warning } from "../../wire/warnings.ts";
import { staleRecord } from "../history/stale-answers.ts";
import type { ApiContext } from "./api-context.ts";
import { pageOf } from "./page.ts";
import type { Endpoints } from "./api-server.ts";
import { fromRecord } from "./from-record.ts";

type StatusEndpoints = Pick<Endpoints, "ping.show" | "status.show" | "audit.list">;

export function statusEndpoints(context: ApiContext): StatusEndpoints {
  const { bans, settings, history, fleet, lease, now } = context;

  return {
    "ping.show"() {
      const { id: coordinator, version } = context;
      return { coordinator, decider: lease.holder(), version, at: now() };
    },

    async "status.show"() {
      const [rows, lag] = await Promise.all([fleet.hostRows(), history.lag()]);
      const up = rows.filter(({ state }) => state === "up");
      const awaited = rows.filter((row) => row.awaited).length;
      const warnings = fleet.warnings(rows, lag);
      return {
        version: context.version,
        coordinator: context.id,
        decider: lease.trouble() === undefined ? lease.holder() : null,
        startedAt: context.startedAt,
        hosts: {
          up: up.length,
          down: rows.filter(isDown).length,
          current: up.filter(({ current }) => current).length,
          ...(awaited > 0 && { awaited }),
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

    async "audit.list"(query) {
      const { limit } = query;
      const found = await fromRecord(() => history.audit({ ...query, limit: limit + 1 }));
      const { rows, next } = pageOf(found, auditRow, limit);
      return { audit: rows, next, stale: staleRecord(context) };
    },
  };
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
