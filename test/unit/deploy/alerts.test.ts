/** The rules of deploy/prometheus against the warnings and against docs/troubleshooting.md. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import * as z from "zod";
import {
  anchorOf,
  RUNBOOKS,
  WARNING_RULES,
  warningRules,
} from "../../../deploy/package/warning-rules.ts";
import { WARNINGS } from "../../../services/wire/warnings.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const page = readFileSync(join(ROOT, "docs/troubleshooting.md"), "utf8");
const ruleFile = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          alert: z.string(),
          labels: z.object({ severity: z.enum(["critical", "warning", "info"]) }),
          annotations: z.object({
            summary: z.string(),
            description: z.string(),
            runbook_url: z.string(),
          }),
        }),
      ),
    }),
  ),
});
const rulesOf = (file: string) =>
  ruleFile
    .parse(parse(readFileSync(join(ROOT, "deploy/prometheus", file), "utf8")))
    .groups.flatMap(({ rules }) => rules);
const rules = ["fleetban.rules.yml", "warnings.rules.yml"].flatMap(rulesOf);

test("warnings.rules.yml is what the registry of warnings says; npm run docs writes it", () => {
  const isCurrent = readFileSync(WARNING_RULES, "utf8") === warningRules();
  assert.ok(isCurrent, "services/wire/warnings.ts has changed: run npm run docs");
});

test("the runbook of every alert is a section of docs/troubleshooting.md", () => {
  const anchors = [...page.matchAll(/^### `([\w-]+)`: (.*)$/gm)].map(
    ([, code = "", title = ""]) => `${RUNBOOKS}#${anchorOf(code, title)}`,
  );
  for (const { alert, annotations } of rules) {
    assert.ok(anchors.includes(annotations.runbook_url), `${alert}: ${annotations.runbook_url}`);
  }
});

test("every warning has one alert, and no two alerts have one name", () => {
  const runbooks = rules.map(({ annotations }) => annotations.runbook_url);
  for (const [code, { title }] of Object.entries(WARNINGS)) {
    const runbook = `${RUNBOOKS}#${anchorOf(code, title)}`;
    assert.equal(runbooks.filter((url) => url === runbook).length, 1, code);
  }
  const names = rules.map(({ alert }) => alert);
  assert.equal(new Set(names).size, names.length);
});

test("docs/troubleshooting.md has no section of an alert that is gone", () => {
  const sections = [...page.matchAll(/^### `(Fleetban\w+)`/gm)].map(([, name]) => name);
  const byHand = rulesOf("fleetban.rules.yml")
    .map(({ alert }) => alert)
    .filter((alert) => alert !== "FleetbanHostDown");
  assert.deepEqual(sections, byHand);
});
