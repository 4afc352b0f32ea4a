/** The enabled jails of a fail2ban configuration as fleetban's jails and sources. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { formatDuration, parseDuration } from "../../daemon/duration.ts";
import { parseNetwork, overlaps, type Address } from "../../wire/address.ts";
import { JAIL_NAME } from "../../wire/subjects.ts";
import {
  expressionsOf,
  importFilter,
  importRules,
  parseFilterOption,
  type ImportedFilter,
} from "./fail2ban-filter.ts";
import { readIni, valueOf, type Ini } from "./ini.ts";
import { portsOf } from "./ports.ts";

export interface ImportedSource {
  name: string;
  path?: string;
  unit?: string;
}

export interface ImportedJail {
  /** As fleetban takes it. */
  name: string;
  /** As fail2ban has it. */
  origin: string;
  /** undefined: it cannot be carried over, see the notes. */
  settings?: {
    ports: number[];
    maxretry: number;
    /** fail2ban's grammar. */
    findtime: string | number;
    bantime: string | number;
    rules?: ImportedFilter["rules"];
  };
  sources: ImportedSource[];
  notes: string[];
}

export interface ImportedFail2ban {
  jails: ImportedJail[];
  allowlist: Address[];
  notes: string[];
}

/** The filter whose lines fleetban knows by itself, better. */
const BUILT_IN = "dovecot";
const LOOPBACK = ["127.0.0.0/8", "::1"].flatMap((text) => parseNetwork(text) ?? []);
const NAME_LENGTH = 16;

/** undefined: there is no fail2ban configuration in the folder. */
export function importFail2ban(folder: string): ImportedFail2ban | undefined {
  const inFolder = (end: string) =>
    existsSync(join(folder, "jail.d"))
      ? readdirSync(join(folder, "jail.d"))
          .filter((name) => name.endsWith(end))
          .sort()
          .map((name) => join(folder, "jail.d", name))
      : [];
  const files = [
    join(folder, "jail.conf"),
    ...inFolder(".conf"),
    join(folder, "jail.local"),
    ...inFolder(".local"),
  ];
  if (!files.some((file) => existsSync(file))) return undefined;
  const ini = readIni(files);
  const names = [...ini.sections.keys()].filter(
    (name) => name !== "DEFAULT" && isTrue(valueOf(ini, name, "enabled")),
  );
  const ignored = new Set<string>();
  for (const name of names) {
    for (const each of wordsOf(valueOf(ini, name, "ignoreip"))) ignored.add(each);
  }
  const { allowlist, notes } = allowlistOf(ignored);
  if (names.some((name) => /^(?:yes|warn)$/.test(valueOf(ini, name, "usedns") ?? ""))) {
    notes.push("usedns: a host's name in a log is never looked up, it counts for nobody");
  }
  const taken = new Set<string>();
  return { jails: names.map((name) => importJail(ini, folder, name, taken)), allowlist, notes };
}

function importJail(ini: Ini, folder: string, origin: string, taken: Set<string>): ImportedJail {
  const option = (name: string) => valueOf(ini, origin, name)?.trim() ?? "";
  const name = nameOf(origin, taken);
  const jail: ImportedJail = { name, origin, sources: [], notes: [] };
  const note = (text: string) => jail.notes.push(text);
  if (name !== origin) note(`its name is ${name} here: sets in the kernel have short ones`);

  const filter = filterOf(ini, folder, origin);
  jail.notes.push(...filter.notes);
  jail.sources = sourcesOf(ini, origin, name, filter.unit, note);
  noteActions(option, note);
  if (!filter.isBuiltIn && !filter.rules) return jail;

  const ports = /allports/.test(`${option("banaction")} ${option("action")}`)
    ? { ports: [], unknown: [] }
    : portsOf(option("port"));
  for (const each of ports.unknown) note(`port ${each}: expected a number or a well-known name`);
  const maxretry = Number(option("maxretry") || 5);
  const isCounted = Number.isInteger(maxretry) && maxretry >= 1 && maxretry <= 100;
  if (!isCounted) note(`maxretry ${option("maxretry")}: expected 1 to 100, 5 is taken`);
  jail.settings = {
    ports: ports.ports,
    maxretry: isCounted ? maxretry : 5,
    findtime: durationOf(option("findtime"), "findtime", note),
    bantime: durationOf(option("bantime"), "bantime", note),
    ...(filter.rules && { rules: filter.rules }),
  };
  return jail;
}

function filterOf(ini: Ini, folder: string, jail: string): ImportedFilter & { isBuiltIn: boolean } {
  const { name, parameters } = parseFilterOption(valueOf(ini, jail, "filter") ?? jail);
  const own = expressionsOf(valueOf(ini, jail, "failregex") ?? "");
  const ignored = expressionsOf(valueOf(ini, jail, "ignoreregex") ?? "");
  if (own.length > 0) return { ...importRules("", own, ignored), isBuiltIn: false };
  const isLocal = existsSync(join(folder, "filter.d", `${name}.local`));
  if (name === BUILT_IN && !isLocal) {
    const notes = [
      "filter dovecot: fleetban's own detection takes its place, which counts attempts",
    ];
    if (parameters.get("mode") === "aggressive") notes.push("set mode: aggressive in agent.yaml");
    const unit = importFilter(folder, name, parameters)?.unit;
    return { notes, isBuiltIn: true, ...(unit !== undefined && { unit }) };
  }
  const filter = importFilter(folder, name, parameters);
  if (!filter)
    return { notes: [`filter ${name}: there is no such file in filter.d`], isBuiltIn: false };
  return { ...filter, isBuiltIn: false };
}

function sourcesOf(
  ini: Ini,
  origin: string,
  name: string,
  unit: string | undefined,
  note: (text: string) => void,
): ImportedSource[] {
  const backend = valueOf(ini, origin, "backend") ?? "";
  const paths = wordsOf(valueOf(ini, origin, "logpath")).filter((each) => each.startsWith("/"));
  if (backend.startsWith("systemd") || (paths.length === 0 && unit !== undefined)) {
    const own = /_SYSTEMD_UNIT=([\w@.-]+\.service)/.exec(
      valueOf(ini, origin, "journalmatch") ?? "",
    );
    const asked = own?.[1] ?? unit;
    if (asked !== undefined) return [{ name, unit: asked }];
    note("journalmatch: expected _SYSTEMD_UNIT=..., got none; name the unit in agent.yaml");
    return [];
  }
  if (paths.length === 0) note("logpath: expected the path of a log, got none");
  return paths.flatMap((path, index) => {
    if (/[*?[%<]/.test(path)) {
      note(`logpath ${path}: expected the path of one log; name each of them in agent.yaml`);
      return [];
    }
    return [{ name: index === 0 ? name : `${name}-${index + 1}`, path }];
  });
}

/** What happens besides counting and banning, which fleetban does its own way. */
function noteActions(option: (name: string) => string, note: (text: string) => void): void {
  const actions = [...option("action").matchAll(/^\s*([\w.-]+)\s*(?:\[|$)/gm)].map(
    ([, action = ""]) => action,
  );
  for (const action of new Set(actions)) {
    if (/^(?:iptables|nftables|firewallcmd|ufw|shorewall)/.test(action)) continue;
    note(`action ${action}: fleetban's agents ban, nothing else is done`);
  }
  if (isTrue(option("bantime.increment"))) note("bantime.increment: every ban has the same length");
  if (option("ignorecommand") !== "") note("ignorecommand: no commands are run");
  if (/udp|all/.test(option("protocol"))) note(`protocol ${option("protocol")}: tcp is closed`);
}

function allowlistOf(ignored: ReadonlySet<string>): Pick<ImportedFail2ban, "allowlist" | "notes"> {
  const allowlist: Address[] = [];
  const notes: string[] = [];
  for (const text of ignored) {
    const address = parseNetwork(text);
    if (address === undefined) notes.push(`ignoreip ${text}: expected an address or a network`);
    else if (!LOOPBACK.some((each) => overlaps(each, address))) allowlist.push(address);
  }
  return { allowlist, notes };
}

function durationOf(text: string, what: string, note: (text: string) => void): string | number {
  const seconds = parseDuration(text === "" ? "10m" : text);
  if (seconds === undefined || (seconds === null && what === "findtime")) {
    note(`${what} ${text}: expected a duration such as 10m, 10m is taken`);
    return "10m";
  }
  if (seconds === null) return -1;
  return /^\d+$/.test(text) ? Number(text) : formatDuration(seconds).replaceAll(" ", "");
}

function nameOf(origin: string, taken: Set<string>): string {
  const plain = origin.replace(/[^A-Za-z0-9_-]/g, "-").replace(/^[^A-Za-z0-9]+/, "");
  let name = plain.slice(0, NAME_LENGTH);
  for (let count = 2; taken.has(name) || !JAIL_NAME.test(name); count += 1) {
    name = `${plain.slice(0, NAME_LENGTH - 3) || "jail"}-${count}`;
  }
  taken.add(name);
  return name;
}

function wordsOf(text: string | undefined): string[] {
  return (text ?? "").split(/[\s,]+/).filter((each) => each !== "");
}

function isTrue(text: string | undefined): boolean {
  return /^(?:1|yes|true|on)$/i.test(text?.trim() ?? "");
}
