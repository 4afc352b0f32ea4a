/** A filter of fail2ban's filter.d as fleetban takes it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  compileFilter,
  describeFault,
  FilterError,
  type FilterFault,
} from "../../detection/filter/filter.ts";
import { parseParameters } from "./fail2ban-actions.ts";
import { unitOf } from "./fail2ban-sources.ts";
import { rewriteRegex } from "./rewritten.ts";
import { placeOf, readIni, unresolved, valueOf, valuesOf, within } from "./ini.ts";
import { replaceTags } from "./tags.ts";

export interface ImportedRules {
  prefregex?: string;
  failregex: string[];
  ignoreregex?: string[];
  datepattern?: string;
}

export interface ImportedFilter {
  /** undefined: nothing of it can be used. */
  rules?: ImportedRules;
  /** The unit of the journal that it is for. */
  unit?: string;
  /** Resolved, as the jail knows them under `known/`. */
  options?: ReadonlyMap<string, string>;
  /** The parts of the filter that were not carried over. */
  notes: string[];
}

/** Options of a jail that replace those of its filter. */
export const FILTER_OPTIONS = [
  "prefregex",
  "failregex",
  "ignoreregex",
  "datepattern",
  "maxlines",
  "journalmatch",
] as const;

type FilterOption = (typeof FILTER_OPTIONS)[number];

const DEFINITION = "Definition";
/** What it holds goes before what the definition says. */
const INIT = "Init";

/** `dovecot[mode=aggressive, logtype="journal"]`: the filter's name, and its parameters. */
export function parseFilterOption(text: string): { name: string; parameters: Map<string, string> } {
  const [, name = text.trim(), inside = ""] = /^\s*([\w.-]+)\s*(?:\[(.*)\])?\s*$/s.exec(text) ?? [];
  return { name, parameters: parseParameters(inside) };
}

/** undefined: there is no such filter. */
export function importFilter(
  folder: string,
  name: string,
  parameters: ReadonlyMap<string, string>,
  own: ReadonlyMap<FilterOption, string> = new Map(),
): ImportedFilter | undefined {
  const path = join(folder, "filter.d", `${name}.conf`);
  const local = path.replace(/\.conf$/, ".local");
  if (!existsSync(path) && !existsSync(local)) return undefined;
  const ini = readIni([path, local]);
  const options = new Map([...valuesOf(ini, INIT), ...valuesOf(ini, DEFINITION), ...parameters]);
  const sectionOf = (option: string) => (ini.sections.get(INIT)?.has(option) ? INIT : DEFINITION);
  const value = (option: FilterOption) => {
    const found = parameters.get(option) ?? valueOf(ini, sectionOf(option), option) ?? "";
    return replaceTags(ini, options, own.get(option) ?? found);
  };
  const values = new Map(FILTER_OPTIONS.map((option) => [option, value(option)]));
  const get = (option: FilterOption) => values.get(option) ?? "";
  const imported = importRules({
    prefregex: get("prefregex").trim(),
    failregex: expressionsOf(get("failregex")),
    ignoreregex: expressionsOf(get("ignoreregex")),
    datepattern: expressionsOf(get("datepattern")).join("\n"),
  });
  const placed = (note: string) => {
    const option = FILTER_OPTIONS.find((each) => note.startsWith(each)) ?? "failregex";
    const place = own.has(option) ? undefined : placeOf(ini, sectionOf(option), option);
    return `${place === undefined ? `filter ${name}` : within(folder, place)}: ${note}`;
  };
  const notes = [...imported.notes];
  for (const [option, text] of values) {
    const unknown = unresolved(text);
    if (unknown !== undefined) notes.unshift(`${option}: ${unknown} has no value`);
  }
  if (Number(get("maxlines") || 1) > 1) {
    notes.unshift("maxlines: a failure that several lines tell together is not found");
  }
  const unit = unitOf(get("journalmatch"));
  return {
    notes: [...ini.faults.map((fault) => within(folder, fault)), ...notes.map(placed)],
    options: values,
    ...(imported.rules && { rules: imported.rules }),
    ...(unit !== undefined && { unit }),
  };
}

export function expressionsOf(text: string): string[] {
  return text
    .split("\n")
    .map((each) => each.trim())
    .filter((each) => each !== "");
}

/** Leaves out the failregex that cannot be used; without one of the others a filter would count too much. */
export function importRules({
  prefregex = "",
  failregex,
  ignoreregex = [],
  datepattern = "",
}: ImportedRules): Pick<ImportedFilter, "rules" | "notes"> {
  const notes: string[] = [];
  const [broken] = faultsOf({ prefregex, failregex: ["<HOST>"] }).filter(
    ({ option }) => option === "prefregex" && prefregex !== "",
  );
  if (broken) return { notes: [`${describeFault(broken)}: ${prefregex}`] };
  const ignored = [...ignoreregex];
  const faultOf = (regex: string) =>
    faultsOf({ failregex: [regex], ...(prefregex !== "" && { prefregex }) }).find(
      ({ option }) => option === "failregex",
    );
  const usable = failregex.flatMap((source, index) => {
    const fault = faultOf(source);
    if (!fault && source.includes("(?P<host>")) {
      notes.push(`failregex ${index + 1}: (?P<host>...) is taken here; fail2ban wants <HOST>`);
    }
    if (!fault) return [source];
    const rewritten = rewriteRegex(source);
    if (!faultOf(rewritten.regex)) {
      ignored.push(...rewritten.ignoreregex);
      notes.push(`failregex ${index + 1}: looks ahead, is said in another way here`);
      return [rewritten.regex];
    }
    notes.push(`${describeFault({ ...fault, index })}: ${source}`);
    return [];
  });
  if (usable.length === 0) return { notes: [...notes, "no failregex is left"] };
  const rules = {
    ...(prefregex !== "" && { prefregex }),
    failregex: usable,
    ...(ignored.length > 0 && { ignoreregex: ignored }),
    ...(datepattern !== "" && { datepattern }),
  };
  const faults = faultsOf(rules);
  if (faults.length === 0) return { rules, notes };
  const shown = (fault: FilterFault) =>
    fault.option === "datepattern"
      ? describeFault(fault)
      : `${describeFault(fault)}: ${ignoreregex[fault.index] ?? ""}`;
  return { notes: [...notes, ...faults.map(shown)] };
}

function faultsOf(rules: Parameters<typeof compileFilter>[0]): readonly FilterFault[] {
  try {
    compileFilter(rules);
    return [];
  } catch (error) {
    if (error instanceof FilterError) return error.faults;
    throw error;
  }
}
