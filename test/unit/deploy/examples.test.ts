import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import * as z from "zod";
import { agentConfig } from "../../../services/agent/agent-config.ts";
import { coordinatorConfig } from "../../../services/coordinator/coordinator-config.ts";
import { loadConfig } from "../../../services/config/load-config.ts";

const FOLDER = resolve(import.meta.dirname, "../../../deploy/examples");

for (const [name, schema] of [
  ["agent.yaml", agentConfig],
  ["coordinator.yaml", coordinatorConfig],
] as const) {
  const path = join(FOLDER, name);

  test(`${name} as it stands is what holds without any file`, async () => {
    assert.deepEqual(
      await loadConfig(schema, path, {}, {}),
      await loadConfig(schema, undefined, {}, {}),
    );
  });

  test(`${name} names every option that there is, and only these`, async () => {
    const text = await withoutDefaults(path);
    const there = pathsOf(parse(text));
    const options = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema;
    assert.deepEqual([...there].sort(), [...optionsOf(options)].sort());
  });

  test(`${name} is valid with those options, too, that have no default`, async () => {
    const folder = await mkdtemp(join(tmpdir(), "fleetban-examples-"));
    try {
      const all = join(folder, name);
      await writeFile(all, await withoutDefaults(path), { mode: 0o600 });
      await loadConfig(schema, all, {}, {});
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test(`${name} says of every option why it is there`, async () => {
    const lines = (await readFile(path, "utf8")).split("\n");
    for (const [index, line] of lines.entries()) {
      const isOption = /^ *(?:- |#)?[a-zA-Z][\w.]*: *\S/.test(line);
      if (!isOption) continue;
      const before = lines.slice(0, index).reverse();
      const comment = before.find((each) => !/^ *#[a-z]/.test(each)) ?? "";
      assert.match(comment, /^ *# /, `${name}:${index + 1}: ${line}`);
    }
  });
}

/** The example with every `#option: value` as an option. */
async function withoutDefaults(path: string): Promise<string> {
  return (await readFile(path, "utf8")).replace(/^( *)#(?=[a-z-])/gim, "$1");
}

/** Below these, the administrator chooses the names. */
const NAMED = ["jails", "sources.match"];

/** "firewall.chains", "sources.name", "jails.*.ports". */
function pathsOf(value: unknown, path = ""): Set<string> {
  if (Array.isArray(value)) {
    const inner = value.flatMap((each) => [...pathsOf(each, path)]);
    return new Set(
      value.every((each) => typeof each === "object") && inner.length > 0 ? inner : [path],
    );
  }
  if (typeof value !== "object" || value === null) return new Set([path]);
  return new Set(
    Object.entries(value).flatMap(([key, inner]) => [
      ...pathsOf(inner, [path, NAMED.includes(path) ? "*" : key].filter(Boolean).join(".")),
    ]),
  );
}

interface JsonSchema {
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | boolean;
  items?: JsonSchema;
}

/** The same of a schema. */
function optionsOf(schema: JsonSchema, path = ""): Set<string> {
  const { properties, additionalProperties, items } = schema;
  const inner: [string, JsonSchema][] = Object.entries(properties ?? {});
  if (typeof additionalProperties === "object") inner.push(["*", additionalProperties]);
  if (items?.properties) return optionsOf(items, path);
  if (inner.length === 0) return new Set([path]);
  return new Set(
    inner.flatMap(([key, each]) => [...optionsOf(each, [path, key].filter(Boolean).join("."))]),
  );
}
