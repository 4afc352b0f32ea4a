import assert from "node:assert/strict";
import test from "node:test";
import { metricEndpoint } from "../../../../services/coordinator/api/metric-endpoint.ts";
import type { ApiContext } from "../../../../services/coordinator/api/api-context.ts";
import { api, type MetricRow } from "../../../../services/wire/api.ts";

const row = (host: string): MetricRow => ({
  ...{ name: "fleetban_failures_total", help: "Failures.", type: "counter" },
  ...{ labels: { jail: "dovecot", host }, value: 1 },
});
const hosts = (metrics: readonly MetricRow[]) => metrics.map(({ labels }) => labels["host"]);

test("pages of metrics have each row once, though hosts come and go between them", async () => {
  let rows = ["mx5", "mx1", "mx3", "mx4"].map(row);
  const metrics = { rows: () => Promise.resolve(rows) };
  const { "metric.list": list } = metricEndpoint({ metrics, id: "c1" } as unknown as ApiContext);
  const first = await list({ limit: 2 }, "root");
  assert.deepEqual(hosts(first.metrics), ["mx1", "mx3"]);
  rows = ["mx0", "mx2", "mx3", "mx4", "mx5"].map(row);
  const { after } = api["metric.list"].request.parse({ after: first.next });
  const second = await list({ after }, "root");
  assert.deepEqual([hosts(second.metrics), second.next], [["mx4", "mx5"], null]);
});
