/** The dashboards of deploy/grafana, as far as fleetban uses what Grafana offers. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import * as z from "zod";

const FOLDER = resolve(import.meta.dirname, "../../deploy/grafana");

const source = z.strictObject({ type: z.literal("prometheus"), uid: z.literal("${datasource}") });
const target = z.strictObject({
  refId: z.string(),
  datasource: source,
  expr: z.string(),
  legendFormat: z.string(),
  instant: z.literal(true).optional(),
  range: z.literal(false).optional(),
  format: z.literal("table").optional(),
});
const place = {
  id: z.number().int().positive(),
  title: z.string().min(1),
  gridPos: z.strictObject({
    x: z.number().int().nonnegative(),
    y: z.number().int().nonnegative(),
    w: z.number().int().min(1).max(24),
    h: z.number().int().positive(),
  }),
};
const row = z.strictObject({
  ...place,
  type: z.literal("row"),
  collapsed: z.literal(false),
  panels: z.array(z.never()),
});
const color = z.enum(["green", "yellow", "red"]);
const graph = z.strictObject({
  ...place,
  type: z.enum(["stat", "timeseries", "table"]),
  description: z.string(),
  datasource: source,
  fieldConfig: z.strictObject({
    defaults: z.strictObject({
      unit: z.enum(["short", "s", "bytes", "cps", "reqps", "percentunit"]),
      thresholds: z.strictObject({
        mode: z.literal("absolute"),
        steps: z.array(z.strictObject({ color, value: z.number().nullable() })).min(1),
      }),
      mappings: z.array(z.object({ type: z.literal("value"), options: z.object({}).loose() })),
      custom: z.object({}).loose(),
      min: z.number().optional(),
      decimals: z.number().optional(),
    }),
    overrides: z.array(z.never()),
  }),
  options: z.object({}).loose(),
  targets: z.array(target).min(1),
  transformations: z.array(z.object({ id: z.literal("organize") }).loose()).optional(),
});

const dashboard = z.strictObject({
  uid: z.string().regex(/^[a-z-]{1,40}$/),
  title: z.string().min(1),
  description: z.string(),
  tags: z.array(z.string()),
  /** https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model */
  schemaVersion: z.literal(39),
  version: z.literal(1),
  editable: z.literal(true),
  graphTooltip: z.literal(1),
  time: z.strictObject({ from: z.string(), to: z.literal("now") }),
  refresh: z.string(),
  timezone: z.literal("browser"),
  annotations: z.strictObject({ list: z.array(z.never()) }),
  links: z.array(z.object({ type: z.literal("dashboards") }).loose()),
  templating: z.strictObject({
    list: z.array(z.object({ name: z.string(), type: z.enum(["datasource", "query"]) }).loose()),
  }),
  panels: z.array(z.discriminatedUnion("type", [row, graph])),
});
export type Dashboard = z.infer<typeof dashboard>;

/** By the name of its file; throws where one is not laid out as Grafana has it. */
export function readDashboards(): Map<string, Dashboard> {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith(".json"));
  return new Map(
    files.map((file) => {
      const json: unknown = JSON.parse(readFileSync(join(FOLDER, file), "utf8"));
      return [file, dashboard.parse(json)];
    }),
  );
}

/** What the panels ask Prometheus, with Grafana's variables filled in. */
export function expressionsOf({ panels }: Dashboard): string[] {
  return panels
    .flatMap((panel) => (panel.type === "row" ? [] : panel.targets))
    .map(({ expr }) => expr.replaceAll("$__rate_interval", "5m").replaceAll("$host", "mx1"));
}
