/** `fleetban status`, `fleetban host list|remove`, `fleetban failure list`. */
import type { HostRow } from "../../wire/api.ts";
import type { Jail } from "../../wire/settings.ts";
import type { Warning } from "../../wire/status.ts";
import type { Host } from "../hosts.ts";
import { fromHistory, jailNamed, type ApiContext } from "./context.ts";
import { ApiError, type Endpoints } from "./server.ts";
import { HistoryUnavailable } from "../history/history.ts";

type StatusEndpoints = Pick<
  Endpoints,
  "status.show" | "host.list" | "host.remove" | "failure.list"
>;

export function statusEndpoints(context: ApiContext): StatusEndpoints {
  const { bans, settings, hosts, history, streams, lease, clock, expiry, now } = context;

  const describeHost = (host: Host): HostRow => ({
    host: host.status.host,
    state: hosts.isUp(host) ? "up" : "down",
    lastSeenAt: host.seenAt,
    current: host.status.revision >= bans.revision() && host.status.bansCreated === bans.created(),
    clockSkew: host.status.sentAt - host.seenAt,
    status: {
      ...host.status,
      warnings: [
        ...rivalsOf(host.status.host),
        ...(hosts.isUp(host) ? clock.hostWarnings(host) : []),
        ...host.status.warnings,
      ].slice(0, 20),
    },
  });

  const rivalsOf = (host: string): Warning[] =>
    (hosts.refused().get(host) ?? []).map(({ status: { addresses } }) => {
      const where = addresses.length > 0 ? addresses.slice(0, 8).join(", ") : "an unknown address";
      const remedy = "it needs a name (host) and credentials of its own";
      const text = `a second agent calls itself ${host}, on ${where}, and is refused: ${remedy}`;
      return { code: "second-agent", severity: "high", text };
    });

  /**
   * Hosts heard of since the start, and those that only the history knows. A silent one that the
   * history does not know was removed, perhaps through another coordinator.
   */
  async function allHosts(): Promise<{ rows: HostRow[]; stale: string | null }> {
    const { value, stale } = await fromHistory(() => history.hosts(), []);
    const isKnown = (name: string) => stale !== null || value.some(({ host }) => host === name);
    const heard = hosts
      .list()
      .filter((host) => hosts.isUp(host) || isKnown(host.status.host))
      .map(describeHost);
    const silent = value
      .filter(({ host }) => !heard.some((row) => row.host === host))
      .map(({ host, lastSeenAt }): HostRow => {
        return { host, state: "down", lastSeenAt, current: false, clockSkew: 0, status: null };
      });
    return { rows: [...heard, ...silent], stale };
  }

  function warningsOf(rows: readonly HostRow[], lag: number | undefined): Warning[] {
    const warnings: Warning[] = [];
    const warn = (code: string, severity: Warning["severity"], text: string) =>
      warnings.push({ code, severity, text: text.slice(0, 500) });
    const waiting = `${lag ?? "an unknown number of"} messages wait to be recorded`;
    const full = lease.trouble();
    if (full !== undefined) {
      const remedy = "look for room on its disk and under its max_file_store, then restart it";
      warn("nats-stores-nothing", "high", `NATS stores nothing now: ${full}; ${remedy}`);
    } else if (lease.holder() === null) {
      warn("no-decider", "high", "no coordinator holds the lease: nobody decides on bans");
    }
    if (!history.reachable()) {
      warn("postgres-away", "medium", `PostgreSQL cannot be reached: bans go on, ${waiting}`);
    }
    const stalled = history.stalled();
    if (stalled !== undefined) {
      const text = `PostgreSQL records nothing now: ${stalled}; bans go on, ${waiting}`;
      warn("postgres-stalled", "medium", text);
    }
    if (settings.readyFor() !== bans.created()) {
      warn(
        "not-restored",
        "medium",
        "the bans bucket is not declared complete: agents add bans, but remove none",
      );
    }
    for (const each of [...clock.warnings(), ...expiry.warnings()]) {
      warn(each.code, each.severity, each.text);
    }
    for (const fault of streams.faults()) warn("streams", "medium", `NATS: ${fault}`);
    for (const { host, state, status } of rows) {
      if (state === "down")
        warn(
          "host-down",
          "high",
          `host ${host} is silent: see systemctl status fleetban-agent there`,
        );
      if (state === "up" && status?.firewall === "dry-run") {
        warn("dry-run", "high", `host ${host} bans nobody: its firewall is dry-run`);
      }
      for (const own of status?.warnings ?? [])
        warn(own.code, own.severity, `host ${host}: ${own.text}`);
    }
    return warnings;
  }

  const withoutFilter = ({ v, name, ports, maxretry, findtime, bantime }: Jail): Jail => {
    return { v, name, ports, maxretry, findtime, bantime };
  };

  return {
    async "status.show"() {
      const { rows } = await allHosts();
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
        postgres: { reachable: history.reachable(), lag: lag ?? null },
        warnings: warningsOf(rows, lag),
      };
    },

    async "host.list"() {
      const { rows, stale } = await allHosts();
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
