/** `fleetban status`, `fleetban host list|remove`, `fleetban failure list`. */
import type { Jail } from "../../wire/settings.ts";
import { jailNamed, type ApiContext } from "./context.ts";
import { ApiError, type Endpoints } from "./server.ts";
import { HistoryUnavailable } from "../history/history.ts";

type StatusEndpoints = Pick<
  Endpoints,
  "status.show" | "host.list" | "host.remove" | "failure.list"
>;

export function statusEndpoints(context: ApiContext): StatusEndpoints {
  const { bans, settings, hosts, history, fleet, lease, now } = context;

  const withoutFilter = ({ v, name, ports, maxretry, findtime, bantime }: Jail): Jail => {
    return { v, name, ports, maxretry, findtime, bantime };
  };

  return {
    async "status.show"() {
      const { rows } = await fleet.hostRows();
      const lag = await history.lag();
      const up = rows.filter(({ state }) => state === "up");
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
        allowed: settings.allowlist.list().length,
        jails: context.jails.map(withoutFilter),
        failures: context.counters.failures,
        undecodable: context.counters.undecodable,
        missedOffences: context.missed.total(),
        postgres: { reachable: history.reachable(), lag: lag ?? null },
        warnings: fleet.warnings(rows, lag),
      };
    },

    async "host.list"() {
      const { rows, stale } = await fleet.hostRows();
      return { hosts: rows, stale };
    },

    async "host.remove"({ host }) {
      const known = hosts.list().find(({ status }) => status.host === host);
      const wasRecorded = await history.forgetHost(host);
      if (!known && !wasRecorded) throw new ApiError(404, `${host}: is no host that is listed`);
      hosts.forget(host);
      return { host, wasUp: known !== undefined && hosts.isUp(known) };
    },

    async "failure.list"(query) {
      if (query.jail !== undefined) jailNamed(context, query.jail);
      try {
        const { rows, next } = await history.failures(query);
        return { failures: rows, next, stale: null };
      } catch (error) {
        if (!(error instanceof HistoryUnavailable)) throw error;
        throw new ApiError(503, error.message, { cause: error });
      }
    },
  };
}
