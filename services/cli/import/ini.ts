/**
 * Files as fail2ban reads them: Python's configparser with includes, `.local` files beside
 * `.conf` files, and values that are made of others.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { explainFileError } from "../../process/file-error.ts";
import { quote } from "../visible.ts";

/** Options by their names, in lower case. */
export type Section = Map<string, Option>;

export interface Option {
  /** Raw. */
  value: string;
  /** Where it stands; "" and 0 until its file is known. */
  path: string;
  line: number;
}

export interface Ini {
  sections: Map<string, Section>;
  /** What an option was before a later file set it again: %(known/option)s. */
  known: Map<string, Section>;
  /** Lines that could not be read, with their place. */
  faults: string[];
}

const DEFAULT = "DEFAULT";
const INCLUDES = "INCLUDES";
/** Includes that include each other end here. */
const MAX_DEPTH = 10;

/** Reads the files that are there, later ones over earlier ones. */
export function readIni(paths: readonly string[]): Ini {
  const ini: Ini = { sections: new Map(), known: new Map(), faults: [] };
  for (const path of paths) readInto(ini, path, 0);
  return ini;
}

function withLocal(path: string): string[] {
  const local = path.replace(/\.conf$/, ".local");
  return local === path ? [path] : [path, local];
}

function readInto(ini: Ini, path: string, depth: number): void {
  if (depth > MAX_DEPTH || !existsSync(path)) return;
  const own = parseIni(readText(ini, path));
  ini.faults.push(...own.faults.map(({ line, reason }) => `${path}:${line}: ${reason}`));
  const includes = own.sections.get(INCLUDES);
  const included = (option: string) =>
    (includes?.get(option)?.value ?? "")
      .split("\n")
      .map((name) => name.trim())
      .filter((name) => name !== "")
      .flatMap((name) => withLocal(resolve(dirname(path), name)));
  for (const each of included("before")) readInto(ini, each, depth + 1);
  for (const [name, options] of own.sections) {
    if (name === INCLUDES) continue;
    const section = sectionOf(ini.sections, name);
    for (const [option, found] of options) {
      const before = section.get(option);
      if (before !== undefined) sectionOf(ini.known, name).set(option, before);
      section.set(option, { ...found, path });
    }
  }
  for (const each of included("after")) readInto(ini, each, depth + 1);
}

function readText(ini: Ini, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    ini.faults.push(`${path}: cannot be read: ${explainFileError(error)}`);
    return "";
  }
}

function sectionOf(sections: Map<string, Section>, name: string): Section {
  const there = sections.get(name);
  if (there) return there;
  const made: Section = new Map();
  sections.set(name, made);
  return made;
}

/** One file: sections with their options; a value goes on in the lines that are indented deeper. */
export function parseIni(text: string): {
  sections: Map<string, Section>;
  faults: { line: number; reason: string }[];
} {
  const sections = new Map<string, Section>();
  const faults: { line: number; reason: string }[] = [];
  let section: Section | undefined;
  let option: { found: Option; indent: number } | undefined;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    const indent = raw.length - raw.trimStart().length;
    if (/^[#;]/.test(line)) continue;
    if (line === "") {
      if (option) option.found.value += "\n";
      continue;
    }
    const value = line.replace(/\s;.*$/, "");
    if (option && indent > option.indent) {
      option.found.value += `\n${value}`;
      continue;
    }
    const header = /^\[([^\]]+)\]/.exec(line);
    if (header) {
      section = sectionOf(sections, header[1] ?? "");
      option = undefined;
      continue;
    }
    const refuse = (expected: string) =>
      faults.push({ line: index + 1, reason: `expected ${expected}, got ${quote(line)}` });
    const [, name, first = ""] = /^([^:=]+?)\s*[=:]\s*(.*)$/.exec(value) ?? [];
    if (name === undefined) refuse("option = value, with what belongs to it indented below");
    else if (!section) refuse("a [section] before the first option");
    else {
      const found = { value: first, path: "", line: index + 1 };
      option = { found, indent };
      section.set(name.toLowerCase(), found);
    }
  }
  for (const each of sections.values()) {
    for (const found of each.values()) found.value = found.value.replace(/\s+$/, "");
  }
  return { sections, faults };
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

function findOption(ini: Ini, section: string, option: string): Option | undefined {
  return ini.sections.get(section)?.get(option) ?? ini.sections.get(DEFAULT)?.get(option);
}

function rawValue(ini: Ini, section: string, option: string): string | undefined {
  return findOption(ini, section, option)?.value;
}

/** `/etc/fail2ban/jail.local:7`; undefined: the option is nowhere. */
export function placeOf(ini: Ini, section: string, option: string): string | undefined {
  const found = findOption(ini, section, option);
  return found && `${found.path}:${found.line}`;
}

/** What %(known/option)s is in this section, where no earlier file says it. */
export function setKnown(ini: Ini, section: string, option: string, value: string): void {
  const known = sectionOf(ini.known, section);
  if (known.has(option) || ini.sections.get(DEFAULT)?.has(option)) return;
  known.set(option, { value: value.replaceAll("%", "%%"), path: "", line: 0 });
}

/** The first %(name)s in a value that stands for nothing. */
export function unresolved(value: string): string | undefined {
  return /%\([\w./-]+\)s/.exec(value)?.[0];
}

/** A place, or a text that begins with one, as seen from the folder. */
export function within(folder: string, text: string): string {
  return text.startsWith(`${folder}/`) ? text.slice(folder.length + 1) : text;
}

/** Is it said for all sections? */
export function isOfAll(ini: Ini, section: string, option: string): boolean {
  return ini.sections.get(section)?.has(option) !== true;
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
  const known = ini.known.get(section)?.get(option);
  return (known ?? ini.sections.get(DEFAULT)?.get(option))?.value;
}
