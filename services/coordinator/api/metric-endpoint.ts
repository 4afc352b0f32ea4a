/** `fleetban metrics`. */
import { metricRow, type MetricRow } from "../../wire/api.ts";
import { MAX_ROWS } from "../../wire/request-fields.ts";
import type { ApiContext } from "./api-context.ts";
import type { Endpoints } from "./api-server.ts";
import { behind, pageOf } from "./page.ts";

export function metricEndpoint({ metrics, id }: ApiContext): Pick<Endpoints, "metric.list"> {
  return {
    async "metric.list"({ limit = MAX_ROWS, after = null }) {
      const marked = (await metrics.rows())
        .map((row) => ({ row, mark: markOf(row) }))
        .sort((a, b) => (a.mark < b.mark ? -1 : 1));
      const found = behind(marked, after).slice(0, limit + 1);
      const { rows, next } = pageOf(found, metricRow, limit);
      return { metrics: rows, next, coordinator: id };
    },
  };
}

/** Its name and labels, which no other row has. */
function markOf({ name, labels }: MetricRow): string {
  const values = Object.entries(labels).map(([label, value]) => `${label}=${value}`);
  return [name, ...values].join(" ");
}
