/**
 * Files as fail2ban reads them: Python's configparser with includes, `.local` files beside
 * `.conf` files, and values that are made of others.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** Options by their names, in lower case; raw. */
export type Section = Map<string, string>;

export interface Ini {
  sections: Map<string, Section>;
  /** What an option was before a later file set it again: %(known/option)s. */
  known: Map<string, Section>;
}

const DEFAULT = "DEFAULT";
const INCLUDES = "INCLUDES";
/** Includes that include each other end here. */
const MAX_DEPTH = 10;

/** Reads the files that are there, later ones over earlier ones. */
export function readIni(paths: readonly string[]): Ini {
  const ini: Ini = { sections: new Map(), known: new Map() };
  for (const path of paths.flatMap(withLocal)) readInto(ini, path, 0);
  return ini;
}

function withLocal(path: string): string[] {
  const local = path.replace(/\.conf$/, ".local");
  return local === path ? [path] : [path, local];
}

function readInto(ini: Ini, path: string, depth: number): void {
  if (depth > MAX_DEPTH || !existsSync(path)) return;
  const own = parseIni(readFileSync(path, "utf8"));
  const includes = own.get(INCLUDES);
  const included = (option: string) =>
    (includes?.get(option) ?? "")
      .split("\n")
      .map((name) => name.trim())
      .filter((name) => name !== "")
      .flatMap((name) => withLocal(resolve(dirname(path), name)));
  for (const each of included("before")) readInto(ini, each, depth + 1);
  for (const [name, options] of own) {
    if (name === INCLUDES) continue;
    const section = sectionOf(ini.sections, name);
    for (const [option, value] of options) {
      const before = section.get(option);
      if (before !== undefined) sectionOf(ini.known, name).set(option, before);
      section.set(option, value);
    }
  }
  for (const each of included("after")) readInto(ini, each, depth + 1);
}

function sectionOf(sections: Map<string, Section>, name: string): Section {
  const there = sections.get(name);
  if (there) return there;
  const made: Section = new Map();
  sections.set(name, made);
  return made;
}

/** One file: sections with their options; a value goes on in the lines that are indented deeper. */
export function parseIni(text: string): Map<string, Section> {
  const sections = new Map<string, Section>();
  let section: Section | undefined;
  let option: { name: string; indent: number } | undefined;
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim();
    const indent = raw.length - raw.trimStart().length;
    if (/^[#;]/.test(line)) continue;
    if (line === "") {
      if (option) append(section, option.name, "");
      continue;
    }
    const value = line.replace(/\s;.*$/, "");
    if (option && indent > option.indent) {
      append(section, option.name, value);
      continue;
    }
    const header = /^\[([^\]]+)\]/.exec(line);
    if (header) {
      section = sectionOf(sections, header[1] ?? "");
      option = undefined;
      continue;
    }
    const [, name, first = ""] = /^([^:=]+?)\s*[=:]\s*(.*)$/.exec(value) ?? [];
    if (!section || name === undefined) continue; // fail2ban would not start with it
    option = { name: name.toLowerCase(), indent };
    section.set(option.name, first);
  }
  for (const each of sections.values()) {
    for (const [name, value] of each) each.set(name, value.replace(/\s+$/, ""));
  }
  return sections;
}

function append(section: Section | undefined, name: string, line: string): void {
  section?.set(name, `${section.get(name) ?? ""}\n${line}`);
}

/** The value of an option with every %(name)s in it resolved; undefined: there is none. */
export function valueOf(ini: Ini, section: string, option: string): string | undefined {
  const raw = rawValue(ini, section, option);
  return raw === undefined ? undefined : interpolate(ini, section, raw, 0);
}

/** Every option of a section, those of DEFAULT too, resolved. */
export function valuesOf(ini: Ini, section: string): Map<string, string> {
  const names = new Set([
    ...(ini.sections.get(DEFAULT)?.keys() ?? []),
    ...(ini.sections.get(section)?.keys() ?? []),
  ]);
  return new Map([...names].map((name) => [name, valueOf(ini, section, name) ?? ""]));
}

function rawValue(ini: Ini, section: string, option: string): string | undefined {
  return ini.sections.get(section)?.get(option) ?? ini.sections.get(DEFAULT)?.get(option);
}

function interpolate(ini: Ini, section: string, value: string, depth: number): string {
  if (depth > MAX_DEPTH) return value;
  return value.replace(/%(?:%|\(([^)]+)\)s)/g, (whole, name?: string) => {
    if (name === undefined) return "%";
    const found = lookUp(ini, section, name.toLowerCase());
    return found === undefined ? whole : interpolate(ini, section, found, depth + 1);
  });
}

/** `name`, `section/name`, `known/name`. */
export function lookUp(ini: Ini, section: string, name: string): string | undefined {
  if (name === "__name__") return section;
  const [, where, option = ""] = /^([\w-]+)\/(.+)$/.exec(name) ?? [];
  if (where === undefined) return rawValue(ini, section, name);
  if (where !== "known") {
    const other = [...ini.sections.keys()].find((each) => each.toLowerCase() === where) ?? where;
    return rawValue(ini, other, option);
  }
  return ini.known.get(section)?.get(option) ?? ini.sections.get(DEFAULT)?.get(option);
}
