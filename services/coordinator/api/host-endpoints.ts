/** `fleetban host list`, `host show`, `host remove`. */
import { hostRow } from "../../wire/api.ts";
import { MAX_ROWS } from "../../wire/request-fields.ts";
import { staleRecord } from "../history/stale-answers.ts";
import { compareHosts } from "../hosts/host-order.ts";
import type { ApiContext } from "./api-context.ts";
import { ApiError, type Endpoints } from "./api-server.ts";
import { pageOf } from "./page.ts";

type HostEndpoints = Pick<Endpoints, "host.list" | "host.show" | "host.remove">;

export function hostEndpoints(context: ApiContext): HostEndpoints {
  const { settings, hosts, history, fleet } = context;

  return {
    async "host.list"({ limit = MAX_ROWS, after = null }) {
      const { rows, stale } = await fleet.listHosts();
      const found = [...rows]
        .map(([mark, describe]) => ({ row: describe, mark }))
        .filter(({ mark }) => after === null || compareHosts(mark, after) > 0)
        .sort((a, b) => compareHosts(a.mark, b.mark));
      const marked = found
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
      const known = hosts.get(host);
      const wasRecorded = await history.forgetHost(host);
      if (!known && !wasRecorded) throw new ApiError(404, `${host}: is no host that is listed`);
      hosts.forget(host);
      await context.machines.forgetHost(settings, host);
      await context.brokenHosts.forgetHost(settings, host);
      return { host, wasUp: known !== undefined && hosts.isUp(known) };
    },
  };
}

/** As many hosts are named. */
const NAMED = 10;

function describeUnlisted(host: string, names: string[]): string {
  const missing = `${host}: is no host that is listed`;
  if (names.length === 0) return `${missing}; no host has reported yet`;
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : "";
  return `${missing}, expected ${names.sort(compareHosts).slice(0, NAMED).join(", ")}${more}`;
}
