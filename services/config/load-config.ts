/**
 * Configuration: one YAML file, some settings from the environment above it,
 * checked as a whole. Every fault is reported at once.
 */
import { promises as files } from "node:fs";
import { dirname, resolve } from "node:path";
import type * as z from "zod";
import type { Environment } from "../process/environment.ts";
import { EXIT, PlainError } from "../process/exit.ts";
import { whyExposed, whyUnreadable } from "../process/private-file.ts";
import { didYouMean } from "./did-you-mean.ts";
import { optionNames } from "./option-names.ts";

/** The configuration cannot be used; the message has a line for every fault. */
export class ConfigError extends PlainError {
  override name = "ConfigError";
  constructor(faults: readonly string[], options?: ErrorOptions) {
    super(faults.join("\n"), EXIT.config, options);
  }
}

/**
 * Reads `path` (undefined: no file, everything default) and checks it against
 * `schema`. `variables` says which environment variable stands for which setting,
 * as a path: { FLEETBAN_NATS_URL: "nats.url" }. Throws a ConfigError.
 */
export async function loadConfig<S extends z.ZodType>(
  schema: S,
  path: string | undefined,
  environment: Environment,
  variables: Readonly<Record<string, string>>,
): Promise<z.output<S>> {
  const where = path ?? "configuration";
  const value = path === undefined ? {} : await readYaml(path);
  const secret = secretIn(value);
  if (path !== undefined) resolveFiles(dirname(resolve(path)), value);
  const origin = new Map<string, string>();
  for (const [variable, setting] of Object.entries(variables)) {
    const text = environment[variable];
    if (text === undefined || text === "") continue;
    setAt(value, setting.split("."), text);
    origin.set(setting, variable);
  }
  const result = schema.safeParse(value, { error: describeIssue });
  if (result.success) {
    if (path !== undefined && secret !== undefined) refuseExposed(path, secret);
    return result.data;
  }
  throw new ConfigError(
    result.error.issues.flatMap((issue) => {
      const variable = origin.get(issue.path.join("."));
      return variable === undefined
        ? describeFaults(schema, issue).map((fault) => `${where}: ${fault}`)
        : [`environment: ${variable}: ${issue.message}`];
    }),
    { cause: result.error },
  );
}

/** "jails.dovecot.maxretry: expected at least 1, got 0"; `issue` is of a value that stands at `path`. */
function describeFaults(
  schema: z.ZodType,
  issue: z.core.$ZodIssue,
  path: readonly PropertyKey[] = [],
): string[] {
  const setting = [...path, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    const names = optionNames(schema, issue.path);
    return issue.keys.map((key) => `${[...setting, key].join(".")}: ${noSuchOption(key, names)}`);
  }
  return [setting.length === 0 ? issue.message : `${setting.join(".")}: ${issue.message}`];
}

/** In words, with the one of `names` that was probably meant. */
export function noSuchOption(key: string, names: Iterable<string>): string {
  const meant = didYouMean(key, names);
  return `there is no such option${meant === undefined ? "" : `; did you mean ${meant}?`}`;
}

export type CheckedValue<T> = { value: T } | { faults: readonly string[] };

/** Checks a value as if it stood at `path` of a file, in the same words. */
export function checkValue<T>(
  schema: z.ZodType<T>,
  value: unknown,
  path: readonly string[],
): CheckedValue<T> {
  const result = schema.safeParse(value, { error: describeIssue });
  if (result.success) return { value: result.data };
  return { faults: result.error.issues.flatMap((issue) => describeFaults(schema, issue, path)) };
}

/** Settings that name files: relative to the configuration, wherever one stands. */
const FILES = [
  ["nats", "creds"],
  ["nats", "ca"],
  ["web", "tls", "cert"],
  ["web", "tls", "key"],
  ["web", "oidc", "clientSecretFile"],
];

function resolveFiles(folder: string, value: Record<string, unknown>): void {
  for (const path of FILES) {
    const file = path.reduce<unknown>(
      (inner, name) => (isRecord(inner) ? inner[name] : undefined),
      value,
    );
    if (typeof file === "string" && file !== "") setAt(value, path, resolve(folder, file));
  }
}

/** The setting of the file that holds a password, by itself or in a URL. */
function secretIn(value: Record<string, unknown>): string | undefined {
  return ["nats", "database"].flatMap((section) => {
    const inner = value[section];
    if (!isRecord(inner)) return [];
    const names = ["password", "url"].filter((name) => holdsPassword(name, inner[name]));
    return names.map((name) => `${section}.${name}`);
  })[0];
}

function refuseExposed(path: string, secret: string): void {
  const exposed = whyExposed(path);
  if (exposed !== undefined)
    throw new ConfigError([`${path}: ${secret} is a password: ${exposed}`]);
}

function holdsPassword(name: string, value: unknown): boolean {
  if (typeof value !== "string") return false;
  return name === "password" || /:\/\/[^/@\s]*:[^/@\s]+@/.test(value);
}

async function readYaml(path: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await files.readFile(path, "utf8");
  } catch (cause) {
    throw new ConfigError([`${path}: cannot be read: ${whyUnreadable(path, cause)}`], { cause });
  }
  // A program that reads no file starts without it.
  const { parseDocument } = await import("./yaml-document.ts");
  const document = parseDocument(text);
  if (document.errors.length > 0) throw new ConfigError(describeYamlErrors(path, document.errors));
  const value: unknown = document.toJS({ maxAliasCount: 100 }) ?? {};
  if (isRecord(value)) return value;
  throw new ConfigError([`${path}: expected options by name, got ${describeGiven(value)}`]);
}

interface YamlError {
  code: string;
  message: string;
  linePos?: readonly { line: number; col: number }[] | undefined;
}

/** After the first thing that cannot stand where it is, everything seems to be in the wrong place. */
function describeYamlErrors(path: string, errors: readonly YamlError[]): string[] {
  const misplaced = errors.findIndex(({ code }) => code === "UNEXPECTED_TOKEN");
  return errors.slice(0, misplaced < 0 ? undefined : misplaced + 1).map(({ message, linePos }) => {
    const at = linePos?.[0];
    // Its first line ends in the place, which stands before it here.
    const [first = ""] = message.split("\n");
    const reason = first.replace(/ at line \d+, column \d+:$/, "");
    return at ? `${path}:${at.line}:${at.col}: ${reason}` : `${path}: ${reason}`;
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function setAt(target: Record<string, unknown>, path: readonly string[], value: string): void {
  const [key = "", ...rest] = path;
  if (rest.length === 0) {
    target[key] = value;
    return;
  }
  const inner = target[key];
  const next = isRecord(inner) ? inner : {};
  target[key] = next;
  setAt(next, rest, value);
}

/** The words of administrators for zod's types. */
const YAML_WORDS: Readonly<Record<string, string>> = {
  object: "options by name",
  record: "options by name",
  array: "a list",
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
};

/** In YAML `key:` with nothing behind it is null. */
function describeGiven(value: unknown): string {
  return value === undefined || value === null ? "nothing" : JSON.stringify(value).slice(0, 100);
}

/** The given and the expected value in words; undefined: zod's message is used. */
export function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  const given = describeGiven(issue.input);
  if (issue.code === "invalid_type") {
    return `expected ${YAML_WORDS[issue.expected] ?? issue.expected}, got ${given}`;
  }
  if (issue.code === "too_small") return `expected at least ${issue.minimum}, got ${given}`;
  if (issue.code === "too_big") return `expected at most ${issue.maximum}, got ${given}`;
  if (issue.code === "invalid_value") {
    return `expected one of ${issue.values.map(String).join(", ")}, got ${given}`;
  }
  return undefined;
}
