/** `fleetban metrics`. */
import { metricRow } from "../../wire/api.ts";
import { MAX_ROWS } from "../../wire/request-fields.ts";
import type { ApiContext } from "./api-context.ts";
import type { Endpoints } from "./api-server.ts";
import { pageOf } from "./page.ts";

export function metricEndpoint({ metrics, id }: ApiContext): Pick<Endpoints, "metric.list"> {
  return {
    async "metric.list"({ limit = MAX_ROWS, after = null }) {
      const begin = Number(after ?? 0);
      const marked = (await metrics.rows())
        .map((row, index) => ({ row, mark: String(index + 1) }))
        .slice(begin, begin + limit + 1);
      const { rows, next } = pageOf(marked, metricRow, limit);
      return { metrics: rows, next, coordinator: id };
    },
  };
}
