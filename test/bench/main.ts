/**
 * npm run bench [-- [--json] [NAME...]]
 *
 * Runs the benches named (all without a name) and prints their figures: a table,
 * or one JSON object a line.
 */
import { parseArgs } from "node:util";
import type { Figure } from "./figure.ts";

interface Bench {
  run(): Promise<Figure[]>;
}

const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  "ban-latency": () => import("./ban-latency.ts"),
  parse: () => import("./parse.ts"),
  "long-lines": () => import("./long-lines.ts"),
  decide: () => import("./decide.ts"),
  memory: () => import("./memory.ts"),
  record: () => import("./record.ts"),
  history: () => import("./history.ts"),
  restart: () => import("./restart.ts"),
  "long-work": () => import("./long-work.ts"),
  replacement: () => import("./replacement.ts"),
  rest: () => import("./rest.ts"),
  "cli-start": () => import("./cli-start.ts"),
  "filter-flood": () => import("./filter-flood.ts"),
  interleavings: () => import("./interleavings.ts"),
  import: () => import("./import.ts"),
  "rooted-host": () => import("./rooted-host.ts"),
  web: () => import("./web.ts"),
};

const { values, positionals } = parseArgs({
  options: { json: { type: "boolean", default: false } },
  allowPositionals: true,
});
const names = positionals.length > 0 ? positionals : Object.keys(BENCHES);
for (const name of names) {
  const load = BENCHES[name];
  if (!load) {
    process.stderr.write(`bench: "${name}": expected ${Object.keys(BENCHES).join(", ")}\n`);
    process.exit(64);
  }
  if (!values.json) process.stderr.write(`bench: ${name} ...\n`);
  const bench = await load();
  for (const figure of await bench.run()) {
    process.stdout.write(`${values.json ? JSON.stringify(figure) : describe(figure)}\n`);
  }
}

function describe(figure: Figure): string {
  const { name, value, unit, p50, p99, hosts, beside } = figure;
  const parts = [
    ...(p50 === undefined ? [] : [`p50 ${round(p50)}`]),
    ...(p99 === undefined ? [] : [`p99 ${round(p99)}`]),
    ...(hosts === undefined ? [] : [`${hosts} hosts`]),
    ...Object.entries(beside ?? {}).map(([peer, peers]) => `${peer} ${round(peers)}`),
  ];
  const note = parts.length > 0 ? `  (${parts.join(", ")})` : "";
  return `${name.padEnd(36)} ${round(value).padStart(12)} ${unit}${note}`;
}

function round(value: number): string {
  const digits = Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0;
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}
