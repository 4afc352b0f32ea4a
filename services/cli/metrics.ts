/** `fleetban metrics`: what Prometheus reads from a coordinator, as a table. */
import { Command } from "commander";
import { formatDuration } from "../config/duration.ts";
import type { MetricRow } from "../wire/api.ts";
import { JSON_OPTION, type Context, type JsonOption } from "./context.ts";
import { readPages } from "./pages.ts";
import type { Cell } from "./table.ts";
import { formatRelative } from "./time.ts";

interface MetricsOptions extends JsonOption {
  all?: true;
}

type Histogram = MetricRow & { type: "histogram" };

export function metricsCommand(context: Context): Command {
  const { ask, output, now } = context;
  return new Command("metrics")
    .description("the metrics of the coordinator that answers, as Prometheus reads them")
    .argument("[words...]", "only metrics whose name or labels have all of these words")
    .option("--all", "also metrics that are 0, and those of the coordinator's process")
    .option(...JSON_OPTION)
    .addHelpText("after", EXAMPLES)
    .action(async (words: string[], { all, json }: MetricsOptions) => {
      const coordinators = new Set<string>();
      const reply = await readPages("metrics", Infinity, async ({ after }) => {
        const page = await ask("metric.list", { after });
        coordinators.add(page.coordinator);
        return page;
      });
      const metrics = reply.metrics.filter(
        (row) => hasWords(row, words) && (all ?? json ?? isOfNote(row)),
      );
      const coordinator = [...coordinators].join(", ");
      if (json) {
        output.json({ ...reply, metrics, coordinator });
        return;
      }
      if (metrics.length === 0) output.line("no such metric; --all shows also those that are 0");
      else
        output.table([
          ["METRIC", "LABELS", "VALUE"],
          ...metrics.map((row) => describe(row, now())),
        ]);
      output.note(`answered by ${coordinator}`);
    });
}

const labelsOf = ({ labels }: MetricRow) =>
  Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");

function hasWords(row: MetricRow, words: readonly string[]): boolean {
  const text = `${row.name} ${labelsOf(row)}`.toLowerCase();
  return words.every((word) => text.includes(word.toLowerCase()));
}

/** Does it say something of the fleet that an operator would miss? */
function isOfNote(row: MetricRow): boolean {
  if (!row.name.startsWith("fleetban_")) return false;
  if (row.type === "histogram") return row.count > 0;
  // Of a question with two answers, "no" is an answer.
  return row.value !== 0 || /_(?:up|held|effective|reading)$/.test(row.name);
}

function describe(row: MetricRow, now: number): Cell[] {
  const value = row.type === "histogram" ? describeHistogram(row) : describeValue(row, now);
  return [{ text: row.name, color: "bold" }, labelsOf(row), value];
}

function describeHistogram({ name, count, sum, buckets }: Histogram): string {
  if (count === 0) return "0 times";
  const unit = (value: number) => inUnit(name, value);
  const quantiles = [0.5, 0.99].map((part) => {
    const { le } = buckets.find((bucket) => bucket.count >= part * count) ?? { le: null };
    const last = buckets.findLast((bucket) => bucket.le !== null)?.le ?? 0;
    return `p${part * 100} ${le === null ? `> ${unit(last)}` : `<= ${unit(le)}`}`;
  });
  return [`${count} times`, `mean ${unit(sum / count)}`, ...quantiles].join(", ");
}

function describeValue({ name, value }: Exclude<MetricRow, Histogram>, now: number): string {
  if (value === null) return "not known";
  if (name.endsWith("_timestamp_seconds")) return formatRelative(value * 1000, now);
  return inUnit(name, value);
}

/** A value in the unit that its name ends with. */
function inUnit(name: string, value: number): string {
  if (/_seconds(?:_total)?$/.test(name)) return inSeconds(value);
  if (/_bytes(?:_total)?$/.test(name)) return inBytes(value);
  return Number.isInteger(value) ? String(value) : value.toPrecision(4);
}

function inSeconds(value: number): string {
  const size = Math.abs(value);
  if (size >= 60) return `${value < 0 ? "-" : ""}${formatDuration(Math.round(size))}`;
  if (size >= 1 || size === 0) return `${Number(value.toPrecision(3))} s`;
  return `${Number((value * 1000).toPrecision(3))} ms`;
}

const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB"];

function inBytes(value: number): string {
  const power = Math.min(Math.floor(Math.log10(Math.max(value, 1)) / 3), BYTE_UNITS.length - 1);
  return `${Number((value / 1000 ** power).toPrecision(3))} ${BYTE_UNITS[power] ?? ""}`;
}

const EXAMPLES = `
Durations are given as "p99 <= 10 ms": 99 of 100 took no longer. Every coordinator counts for
itself, from its start: docs/metrics.md says what is added up.

Examples:
  fleetban metrics
  fleetban metrics mx1 lag
  fleetban metrics --all --json
`;
