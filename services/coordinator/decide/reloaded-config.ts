/** coordinator.yaml read once more, and what has changed in it. */
import { isDeepStrictEqual } from "node:util";
import { EXIT, PlainError } from "../../process/exit.ts";
import { jailsOf, type CoordinatorConfig } from "../coordinator-config.ts";

/** What a reload replaces; everything else needs a restart. */
const RELOADED: readonly string[] = ["jails", "allowlist", "guard", "dbpurgeage"];

export type Read = { config: CoordinatorConfig } | { config: undefined; faults: readonly string[] };

export async function readConfig(load: () => Promise<CoordinatorConfig>): Promise<Read> {
  try {
    return { config: await load() };
  } catch (error) {
    if (!(error instanceof PlainError) || error.exitCode !== EXIT.config) throw error;
    return { config: undefined, faults: error.message.split("\n") };
  }
}

/** In words; what needs a restart is not among it. */
export function changesOf(before: CoordinatorConfig, after: CoordinatorConfig): string[] {
  const old = new Map(jailsOf(before).map((jail) => [jail.name, jail]));
  const present = new Map(jailsOf(after).map((jail) => [jail.name, jail]));
  return [
    ...[...present].flatMap(([name, jail]) => {
      const known = old.get(name);
      if (isDeepStrictEqual(known, jail)) return [];
      return [`jail ${name} is ${known ? "changed" : "new"}`];
    }),
    ...[...old.keys()].flatMap((name) => (present.has(name) ? [] : [`jail ${name} is gone`])),
    ...RELOADED.filter((name) => name !== "jails" && differs(before, after, name)).map(
      (name) => `${name} is changed`,
    ),
  ];
}

/** Options that have changed since the start, and that a reload does not replace. */
export function optionsForRestart(
  started: CoordinatorConfig,
  present: CoordinatorConfig,
): string[] {
  return Object.keys(present).filter(
    (name) => !RELOADED.includes(name) && differs(started, present, name),
  );
}

function differs(a: CoordinatorConfig, b: CoordinatorConfig, name: string): boolean {
  const valueOf = (config: CoordinatorConfig) => new Map<string, unknown>(Object.entries(config));
  return !isDeepStrictEqual(valueOf(a).get(name), valueOf(b).get(name));
}
