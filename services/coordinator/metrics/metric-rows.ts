/** Metrics as rows of a list, a histogram as one row. */
import type { Registry } from "prom-client";
import type { MetricRow } from "../../wire/api.ts";

export type { MetricRow } from "../../wire/api.ts";

type Metric = Awaited<ReturnType<Registry["getMetricsAsJSON"]>>[number];
interface Value {
  value: number;
  labels: Readonly<Partial<Record<string, string | number>>>;
  metricName?: string;
}

export function rowsOf(metrics: readonly Metric[]): MetricRow[] {
  return metrics.flatMap((metric) => {
    const { name, help } = metric;
    const type = String(metric.type);
    const values: readonly Value[] = metric.values;
    if (type === "histogram") return histogramsOf({ name, help }, values);
    return values.map(({ labels, value, metricName = name }): MetricRow => {
      const kind = type === "counter" ? "counter" : "gauge";
      return { name: metricName, help, type: kind, labels: textsOf(labels), value: finite(value) };
    });
  });
}

function histogramsOf(
  { name, help }: { name: string; help: string },
  values: readonly Value[],
): MetricRow[] {
  const rows = new Map<string, MetricRow & { type: "histogram" }>();
  for (const { labels: all, value, metricName } of values) {
    const { le, ...labels } = all;
    const key = JSON.stringify(labels);
    const empty = { type: "histogram", count: 0, sum: 0, buckets: [] } as const;
    const row = rows.get(key) ?? { name, help, labels: textsOf(labels), ...empty, buckets: [] };
    rows.set(key, row);
    if (metricName === `${name}_sum`) row.sum = value;
    else if (metricName === `${name}_count`) row.count = value;
    else row.buckets.push({ le: finite(Number(le === "+Inf" ? Infinity : le)), count: value });
  }
  return [...rows.values()];
}

/** JSON has no word for what is not known, nor for infinity. */
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

function textsOf(labels: Value["labels"]): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, String(value)]));
}
