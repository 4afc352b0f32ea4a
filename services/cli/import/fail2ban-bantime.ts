/** fail2ban's options for bans that grow, `bantime.increment` and its like, as coordinator.yaml has them. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { formatDuration, parseDuration } from "../../config/duration.ts";
import { readIni, valueOf, within, type Ini } from "./ini.ts";
import type { Options } from "./jail-options.ts";

/** As they stand in a jail of coordinator.yaml. */
export interface ImportedGrowth {
  "bantime.increment"?: true;
  "bantime.factor"?: number;
  "bantime.multipliers"?: string;
  "bantime.maxtime"?: string;
  "bantime.rndtime"?: string;
  "bantime.overalljails"?: true;
}

/** fail2ban's own, without spaces. */
const DEFAULT_FORMULA = "ban.Time*(1<<(ban.Countifban.Count<20else20))*banFactor";
const TRUE = /^(?:1|yes|true|on)$/i;

/** `bantimeSeconds` is the jail's bantime; null: for ever. Empty: every ban has the same length. */
export function growthOf(options: Options, bantimeSeconds: number | null): ImportedGrowth {
  const { valueOf: option, note } = options;
  if (!TRUE.test(option("bantime.increment")) || bantimeSeconds === null) return {};
  const factor = factorOf(options);
  const multipliers = multipliersOf(options);
  const maxtime = durationOf("bantime.maxtime", options);
  const rndtime = durationOf("bantime.rndtime", options);
  const isShort = maxtime !== undefined && maxtime < bantimeSeconds;
  if (isShort) note("bantime.maxtime", "is shorter than bantime, and is left out");
  return {
    "bantime.increment": true,
    ...(factor !== 1 && { "bantime.factor": factor }),
    ...(multipliers !== undefined && { "bantime.multipliers": multipliers }),
    ...(maxtime !== undefined && !isShort && { "bantime.maxtime": spell(maxtime) }),
    ...(rndtime !== undefined && { "bantime.rndtime": spell(rndtime) }),
    ...(TRUE.test(option("bantime.overalljails")) && { "bantime.overalljails": true as const }),
  };
}

/** A number or a quotient, "2.0 / 2.885385"; fail2ban takes any expression of Python. */
function factorOf({ valueOf: option, note }: Options): number {
  const text = option("bantime.factor");
  if (text === "") return 1;
  const [, above = "", below = "1"] = /^([\d.]+)\s*(?:\/\s*([\d.]+))?$/.exec(text) ?? [];
  const factor = Number(above) / Number(below);
  if (above !== "" && factor > 0 && factor < Infinity) return factor;
  note("bantime.factor", `expected a number, got ${text}, 1 is taken`);
  return 1;
}

function multipliersOf({ valueOf: option, note }: Options): string | undefined {
  const words = option("bantime.multipliers").split(/\s+/).filter(Boolean);
  const isUsable = words.length <= 100 && words.every((word) => Number(word) > 0);
  if (words.length > 0 && isUsable) return words.join(" ");
  if (words.length > 0) {
    note("bantime.multipliers", "expected up to 100 numbers above 0, 1 2 4 8 16 ... are taken");
    return undefined;
  }
  const formula = option("bantime.formula").replaceAll(/\s/g, "");
  if (formula !== "" && formula !== DEFAULT_FORMULA) {
    const remedy = "say with bantime.multipliers how bans grow, 1 2 4 8 16 ... are taken";
    note("bantime.formula", `no formula but fail2ban's own is known: ${remedy}`);
  }
  return undefined;
}

function durationOf(
  what: "bantime.maxtime" | "bantime.rndtime",
  { valueOf: option, note }: Options,
): number | undefined {
  const text = option(what);
  if (text === "" || text === "0") return undefined;
  const seconds = parseDuration(text);
  if (typeof seconds === "number") return seconds;
  note(what, `expected a duration such as 5w, got ${text}, it is left out`);
  return undefined;
}

const spell = (seconds: number): string =>
  parseDuration(formatDuration(seconds)) === seconds
    ? formatDuration(seconds).replaceAll(" ", "")
    : `${seconds}s`;

/** fail2ban.conf's dbpurgeage, where it is not what coordinator.yaml has by itself. */
export function dbpurgeageOf(folder: string): { dbpurgeage?: string; notes: string[] } {
  const files = ["fail2ban.conf", "fail2ban.local"].map((name) => join(folder, name));
  const ini: Ini = readIni(files.filter((file) => existsSync(file)));
  const text = valueOf(ini, "Definition", "dbpurgeage")?.trim() ?? "";
  if (text === "") return { notes: [] };
  const seconds = parseDuration(text);
  if (typeof seconds !== "number") {
    const reason = `expected a duration such as 1d, got ${text}, 1d is taken`;
    return { notes: [within(folder, `${join(folder, "fail2ban.conf")}: dbpurgeage: ${reason}`)] };
  }
  return { ...(seconds !== 86_400 && { dbpurgeage: spell(seconds) }), notes: [] };
}
