/**
 * Every setting of a configuration with the place that it comes from, for `config show`. No secret
 * is shown: passwords are hidden, also within URLs, and what a webhook's URL has behind its host.
 */
import { promises as files } from "node:fs";
import type * as z from "zod";
import type { Environment } from "../process/environment.ts";
import { loadConfig } from "./load-config.ts";

export interface SettingRow {
  /** "jails.dovecot.maxretry". */
  setting: string;
  /** As JSON; of a file: what stands there. */
  value: string;
  /** "/etc/fleetban/agent.yaml:12", "environment: NATS_URL", "default". */
  origin: string;
}

/** Throws a ConfigError where the configuration cannot be used. */
export async function readConfigOrigins(
  schema: z.ZodType,
  path: string | undefined,
  environment: Environment,
  variables: Readonly<Record<string, string>>,
): Promise<SettingRow[]> {
  const config: unknown = await loadConfig(schema, path, environment, variables);
  const inFile = path === undefined ? new Map<string, InFile>() : await readSettings(path);
  const fromEnvironment = new Map(
    Object.entries(variables).flatMap(([variable, setting]) =>
      environment[variable] ? [[setting, variable] as const] : [],
    ),
  );
  return leavesOf(config).map(([setting, value]) => {
    const variable = fromEnvironment.get(setting);
    if (variable !== undefined) {
      return { setting, value: shown(setting, value), origin: `environment: ${variable}` };
    }
    const found = nearest(inFile, setting);
    if (!found) return { setting, value: shown(setting, value), origin: "default" };
    const given = found.setting === setting ? found.value : value;
    return { setting, value: shown(setting, given), origin: `${path}:${found.line}` };
  });
}

/** A line for each setting. */
export function describeOrigins(rows: readonly SettingRow[]): string {
  return rows.map(({ setting, value, origin }) => `${setting} = ${value} (${origin})\n`).join("");
}

type Leaf = readonly [setting: string, value: unknown];

/** A list of plain values is one leaf. */
function leavesOf(value: unknown, at = ""): Leaf[] {
  if (value === undefined) return [];
  const isPlainList = Array.isArray(value) && value.every((each) => typeof each !== "object");
  if (typeof value !== "object" || value === null || isPlainList) return [[at, value]];
  const inner = Object.entries(value);
  if (inner.length === 0) return [[at, value]];
  return inner.flatMap(([key, each]) => leavesOf(each, at === "" ? key : `${at}.${key}`));
}

interface InFile {
  setting: string;
  value: unknown;
  line: number;
}

async function readSettings(path: string): Promise<Map<string, InFile>> {
  const { parseDocument, LineCounter, isMap, isScalar, isSeq } = await import("./yaml-document.ts");
  const lines = new LineCounter();
  const document = parseDocument(await files.readFile(path, "utf8"), { lineCounter: lines });
  const found = new Map<string, InFile>();
  const visit = (node: unknown, at: string, line: number): void => {
    found.set(at, { setting: at, value: document.getIn(at.split(".")), line });
    if (isMap(node)) {
      for (const { key, value } of node.items) {
        const name = isScalar(key) ? String(key.value) : String(key);
        const start = isScalar(key) ? (key.range?.[0] ?? 0) : 0;
        visit(value, at === "" ? name : `${at}.${name}`, lines.linePos(start).line);
      }
    }
    if (!isSeq(node)) return;
    for (const [index, item] of node.items.entries()) visit(item, `${at}.${index}`, line);
  };
  visit(document.contents, "", 1);
  for (const [at, entry] of found) {
    const value = entry.value as { toJSON?: () => unknown } | null | undefined;
    found.set(at, { ...entry, value: value?.toJSON ? value.toJSON() : value });
  }
  found.delete("");
  return found;
}

/** What the file says of the setting, or of the nearest setting around it that has no parts there. */
function nearest(inFile: ReadonlyMap<string, InFile>, setting: string): InFile | undefined {
  const exact = inFile.get(setting);
  if (exact) return exact;
  const parts = setting.split(".");
  for (let length = parts.length - 1; length > 0; length -= 1) {
    const around = inFile.get(parts.slice(0, length).join("."));
    // A section that stands there without this setting leaves the setting to its default.
    if (around) return isSection(around.value) ? undefined : around;
  }
  return undefined;
}

const isSection = (value: unknown): boolean =>
  value === null || (typeof value === "object" && !Array.isArray(value));

const HIDDEN = "(hidden)";

function shown(setting: string, value: unknown): string {
  const name = setting.split(".").at(-1) ?? "";
  if (name === "password" && typeof value === "string") return HIDDEN;
  const isPlain = typeof value === "string" && /^[\x20-\x7e]*$/.test(value);
  const text = isPlain ? value : JSON.stringify(value);
  const withoutLogin = text.replaceAll(/:\/\/[^/@\s]*@/g, `://${HIDDEN}@`);
  if (!setting.startsWith("notify.")) return withoutLogin;
  return withoutLogin.replaceAll(/(https?:\/\/[^/\s"]+)\/[^\s"]+/g, `$1/${HIDDEN}`);
}
