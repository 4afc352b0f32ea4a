/** /metrics and `fleetban metrics` of a coordinator at work, held against promtool, alerts and dashboards. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { stringify } from "yaml";
import { alertOf, ALERTED_BY_HAND } from "../../deploy/package/warning-rules.ts";
import type { Reply } from "../../services/wire/api.ts";
import { WARNINGS } from "../../services/wire/warnings.ts";
import { readVersion } from "../../services/process/version.ts";
import { startCentre, type Centre } from "../harness/centre.ts";
import { expressionsOf, readDashboards } from "../harness/dashboards.ts";
import { eventually } from "../harness/eventually.ts";
import { promtool } from "../harness/promtool.ts";
import { startTestServers, type TestNats, type TestPostgres } from "../harness/servers.ts";

const RULES = resolve(import.meta.dirname, "../../deploy/prometheus");
const BANNED = "198.51.100.31";
const COORDINATOR = `jails: { dovecot: {}, watched: { shadow: true } }
notify:
  whois: { ask: false }
  sinks: [{ name: program, type: exec, command: [/bin/true] }]`;

let folder: string;
let nats: TestNats;
let postgres: TestPostgres;
let centre: Centre;
let scrape: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleetban-metrics-"));
  [nats, postgres] = await startTestServers();
  const databaseUrl = await postgres.createDatabase();
  centre = await startCentre({
    ...{ folder, natsUrl: nats.url, databaseUrl, coordinatorYaml: COORDINATOR },
    agentYaml: "firewall: { backend: dry-run }",
  });
  await centre.fail(BANNED, 5);
  await eventually("it is banned", () => centre.isBanned(BANNED));
  assert.equal((await centre.cli("ban", "add", "198.51.100.32")).code, 0);
  assert.equal((await centre.cli("ban", "remove", "198.51.100.32")).code, 0);
  assert.equal((await centre.cli("ban", "add", "198.51.100.33", "--jail", "none")).code, 1);
  await eventually("the program was told", async () => {
    const metrics = await centre.metrics();
    return /^fleetban_notifications_total\{sink="program",result="sent"\} [1-9]/m.test(metrics);
  });
  await eventually("the host has reported its lines", async () => {
    const metrics = await centre.metrics();
    return /^fleetban_source_lines_total\{host="mx1",source="mail-log"\} 5$/m.test(metrics);
  });
  scrape = await centre.metrics();
});

after(async () => {
  await centre[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** The value of the series that begins with these words; undefined: there is none. */
function valueOf(series: string): number | undefined {
  const line = scrape.split("\n").find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

test("promtool finds nothing wrong with names, units and help", async () => {
  const { code, output } = await promtool(["check", "metrics"], { input: scrape });
  assert.deepEqual([code, output], [0, ""]);
});

test("failures, bans, unbans and requests are counted by jail, host and cause", () => {
  for (const [series, value] of Object.entries({
    'fleetban_failures_total{jail="dovecot",host="mx1"}': 5,
    'fleetban_bans_total{jail="dovecot",cause="maxretry"}': 1,
    'fleetban_bans_total{jail="dovecot",cause="operator"}': 1,
    'fleetban_bans_total{jail="watched",cause="maxretry"}': 0,
    'fleetban_unbans_total{jail="dovecot",cause="operator"}': 1,
    'fleetban_bans_in_force{jail="dovecot"}': 1,
    'fleetban_held_bans_total{jail="dovecot"}': 0,
    'fleetban_spared_offences_total{cause="allowlist"}': 0,
    fleetban_decision_duration_seconds_count: 1,
    'fleetban_api_requests_total{endpoint="ban.remove",code="200"}': 1,
    'fleetban_api_requests_total{endpoint="ban.add",code="404"}': 1,
    'fleetban_hosts{state="up"}': 1,
    'fleetban_host_up{host="mx1"}': 1,
    'fleetban_host_effective{host="mx1"}': 0,
    'fleetban_host_repairs_total{host="mx1"}': 0,
    'fleetban_source_failures_total{host="mx1",source="mail-log"}': 5,
    'fleetban_source_reading{host="mx1",source="mail-log"}': 1,
    'fleetban_warnings{code="dry-run"}': 1,
    fleetban_lease_held: 1,
    fleetban_postgres_up: 1,
    [`fleetban_build_info{version="${readVersion()}"}`]: 1,
  })) {
    assert.equal(valueOf(series), value, series);
  }
  const seen = valueOf('fleetban_host_last_seen_timestamp_seconds{host="mx1"}') ?? 0;
  assert.ok(Math.abs(seen - Date.now() / 1000) < 600, String(seen));
  assert.ok((valueOf("process_resident_memory_bytes") ?? 0) > 1e6);
});

test("no address and no user is in a label", () => {
  assert.doesNotMatch(scrape, /198\.51\.100|bob|example\.org/);
});

test("every metric of the dashboards is in the scrape, and promtool reads every question", async () => {
  const names = new Set(scrape.match(/^\w+/gm));
  const expressions = [...readDashboards()].flatMap(([, dashboard]) => expressionsOf(dashboard));
  assert.ok(expressions.length > 40);
  for (const expression of expressions) assertKnown(expression, names);
  const rules = expressions.map((expr, index) => ({ record: `panel_${index}`, expr }));
  const file = join(folder, "panels.yml");
  await writeFile(file, stringify({ groups: [{ name: "panels", rules }] }));
  const { code, output } = await promtool(["check", "rules", file]);
  assert.equal(code, 0, output);
});

function assertKnown(expression: string, names: ReadonlySet<string>): void {
  const found = expression.match(/\b(?:fleetban|process|nodejs)_\w+/g) ?? [];
  assert.notEqual(found.length, 0, expression);
  for (const name of found)
    assert.ok(names.has(name), `${name} is not in the scrape: ${expression}`);
}

test("docs/metrics.md names every metric of fleetban, and none that is gone", async () => {
  const page = await readFile(resolve(RULES, "../../docs/metrics.md"), "utf8");
  const tables = page.split("\n").filter((line) => line.startsWith("| `fleetban_"));
  const named = tables.flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`(\w+)`/g)]);
  const shown = [...scrape.matchAll(/^# TYPE (fleetban_\w+)/gm)];
  const sorted = (found: RegExpExecArray[]) => found.map(([, name]) => name).sort();
  assert.deepEqual(sorted(named), sorted(shown));
});

test("every metric of the alerts is in the scrape", async () => {
  const names = new Set(scrape.match(/^\w+/gm));
  for (const file of ["fleetban.rules.yml", "warnings.rules.yml"]) {
    const text = await readFile(join(RULES, file), "utf8");
    for (const [, expression = ""] of text.matchAll(/^ +expr: (.*)$/gm)) {
      if (!/\bup\{/.test(expression)) assertKnown(expression, names);
    }
  }
});

test("the alerts fire when they should, and only then", async () => {
  const files = ["fleetban.rules.test.yml", "slow.rules.test.yml"];
  const { code, output } = await promtool(["test", "rules", ...files], { folder: RULES });
  assert.equal(code, 0, output);
});

test("every warning that holds becomes an alert of its own", async () => {
  const codes = Object.keys(WARNINGS).filter((code) => !ALERTED_BY_HAND.includes(code));
  const file = join(folder, "warnings.test.yml");
  const test = {
    interval: "10m",
    input_series: [
      { series: 'up{job="fleetban"}', values: "1x60" },
      ...codes.map((code) => ({ series: `fleetban_warnings{code="${code}"}`, values: "1x60" })),
    ],
    promql_expr_test: [
      {
        expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
        eval_time: "8h",
        exp_samples: codes.map((code) => ({ labels: `{alertname="${alertOf(code)}"}`, value: 1 })),
      },
    ],
  };
  const rule_files = [join(RULES, "fleetban.rules.yml"), join(RULES, "warnings.rules.yml")];
  await writeFile(file, stringify({ rule_files, evaluation_interval: "10m", tests: [test] }));
  const { code, output } = await promtool(["test", "rules", file]);
  assert.equal(code, 0, output);
});

test("fleetban metrics is the same as a table", async () => {
  const { code, stdout, stderr } = await centre.cli("metrics");
  assert.deepEqual([code, stderr], [0, "answered by c1\n"]);
  assert.match(stdout, /^METRIC +LABELS +VALUE\n/);
  assert.match(stdout, /^fleetban_failures_total +jail=dovecot host=mx1 +5$/m);
  assert.match(
    stdout,
    /^fleetban_decision_duration_seconds +1 times, mean .* m?s, p50 <= .*, p99 <= /m,
  );
  assert.match(stdout, /^fleetban_host_last_seen_timestamp_seconds +host=mx1 +(?:now|\d+s ago)$/m);
  assert.doesNotMatch(stdout, /process_|cause=decoy/);
  const some = await centre.cli("metrics", "MX1", "lag");
  const names = some.stdout.split("\n").map((line) => line.split(" ")[0]);
  assert.ok(!names.includes("fleetban_failures_total"), some.stdout);
  const all = await centre.cli("metrics", "--all");
  assert.match(all.stdout, /^process_resident_memory_bytes +\d+ MB$/m);
  const { metrics } = JSON.parse(
    (await centre.cli("metrics", "--json")).stdout,
  ) as Reply<"metric.list">;
  const durations = metrics.find(({ name }) => name === "fleetban_decision_duration_seconds");
  assert.ok(durations?.type === "histogram");
  assert.deepEqual([durations.count, durations.buckets.at(-1)], [1, { le: null, count: 1 }]);
});
