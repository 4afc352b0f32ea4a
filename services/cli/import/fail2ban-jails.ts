/** The enabled jails of a fail2ban configuration as fleetban's jails and sources. */
import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseHostName } from "../../config/host-name.ts";
import { formatDuration, parseDuration } from "../../config/duration.ts";
import { parseNetwork, overlaps } from "../../wire/address.ts";
import type { Protocol } from "../../wire/settings.ts";
import { JAIL_NAME } from "../../wire/subjects.ts";
import { closedBy } from "./closed-ports.ts";
import {
  expressionsOf,
  FILTER_OPTIONS,
  importFilter,
  importRules,
  parseFilterOption,
  type ImportedFilter,
} from "./fail2ban-filter.ts";
import { sourcesOf, wordsOf, type ImportedSource } from "./fail2ban-sources.ts";
import { mailsOf, sinksOf, type ImportedSink, type MailAction } from "./fail2ban-mail.ts";
import { isOfAll, placeOf, readIni, setKnown, valueOf, within, type Ini } from "./ini.ts";
import { dbpurgeageOf, growthOf, type ImportedGrowth } from "./fail2ban-bantime.ts";
import { optionsOf, type Options, type OptionsFrom } from "./jail-options.ts";

export interface ImportedJail {
  /** As fleetban takes it. */
  name: string;
  /** As fail2ban has it. */
  origin: string;
  /** undefined: it cannot be carried over, see the notes. */
  settings?: ImportedGrowth & {
    /** The jail counts bans. */
    source?: "bans";
    ports: number[] | "all";
    /** Where it is not what coordinator.yaml has for these ports by itself. */
    protocol?: Protocol;
    maxretry: number;
    /** fail2ban's grammar. */
    findtime: string | number;
    bantime: string | number;
    rules?: ImportedFilter["rules"];
  };
  sources: ImportedSource[];
  /** The chains that its bans are hooked into, where these are not INPUT alone. */
  chains?: string[];
  notes: string[];
  /** Mails that its bans send. */
  mails?: MailAction[];
}

export interface ImportedFail2ban {
  jails: ImportedJail[];
  /** As coordinator.yaml has it: an address or a host name, with the jail if it is for one. */
  allowlist: (string | { address: string; jail: string })[];
  /** Of fail2ban.conf, where bans grow and it is not fail2ban's default. */
  dbpurgeage?: string;
  /** For notify.sinks. */
  sinks: ImportedSink[];
  notes: string[];
}

/** The filter whose lines fleetban knows by itself, better. */
const BUILT_IN = "dovecot";
/** The filter that reads fail2ban's own log: its jail counts bans. */
const COUNTS_BANS = "recidive";
const LOOPBACK = ["127.0.0.0/8", "::1"].flatMap((text) => parseNetwork(text) ?? []);
const NAME_LENGTH = 16;

/** undefined: there is no fail2ban configuration in the folder. */
export function importFail2ban(from: string): ImportedFail2ban | undefined {
  const folder = resolve(from);
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
  const notes: string[] = [];
  if (names.some((name) => /^(?:yes|warn)$/.test(valueOf(ini, name, "usedns") ?? ""))) {
    notes.push("usedns: a host's name in a log is never looked up, it counts for nobody");
  }
  const taken = new Set<string>();
  const notesOfAll = new Set<string>();
  const jails = names.map((name) =>
    importJail({ ini, folder, notesOfAll }, name, nameOf(name, taken)),
  );
  const allowlist = allowlistOf({ ini, folder, notes }, jails);
  const isGrowing = jails.some(({ settings }) => settings?.["bantime.increment"]);
  const purging = isGrowing ? dbpurgeageOf(folder) : { notes: [] };
  notes.push(...purging.notes);
  const faults = ini.faults.map((fault) => within(folder, fault));
  const { dbpurgeage } = purging;
  return {
    sinks: sinksOf(jails.filter(({ settings }) => settings !== undefined)),
    ...{ jails, allowlist, notes: [...faults, ...notes, ...notesOfAll] },
    ...(dbpurgeage !== undefined && { dbpurgeage }),
  };
}

function importJail(
  { ini, folder, notesOfAll }: Pick<OptionsFrom, "ini" | "folder" | "notesOfAll">,
  origin: string,
  name: string,
): ImportedJail {
  const jail: ImportedJail = { name, origin, sources: [], notes: [] };
  const options = optionsOf({ ini, folder, jail: origin, notes: jail.notes, notesOfAll });
  const { valueOf: option, note } = options;
  if (name !== origin) {
    jail.notes.push(`its name is ${name} here: sets in the kernel have short ones`);
  }
  const countsBans = isRecidive(options, origin);
  const filter = countsBans ? NO_FILTER : filterOf({ ini, folder, origin, options });
  jail.notes.push(...filter.notes);
  noteOptions(options);
  if (!filter.isBuiltIn && !filter.rules && !countsBans) return jail;
  const closed = closedBy(folder, options, origin);
  if (!closed) return jail;
  const mails = mailsOf(folder, options);
  if (mails.length > 0) jail.mails = mails;
  if (!countsBans) jail.sources = sourcesOf(options, name, filter.unit);
  if (closed.chains.some((chain) => chain !== "INPUT")) jail.chains = closed.chains;
  const maxretry = Number(option("maxretry") || 5);
  const isCounted = Number.isInteger(maxretry) && maxretry >= 1 && maxretry <= 100;
  if (!isCounted) note("maxretry", `expected 1 to 100, got ${option("maxretry")}, 5 is taken`);
  const bantime = durationOf("bantime", options);
  jail.settings = {
    ...(countsBans && { source: "bans" }),
    ports: closed.ports,
    ...(closed.protocol !== (closed.ports === "all" ? "all" : "tcp") && {
      protocol: closed.protocol,
    }),
    maxretry: isCounted ? maxretry : 5,
    findtime: durationOf("findtime", options),
    bantime,
    ...growthOf(options, parseDuration(String(bantime)) ?? null),
    ...(filter.rules && { rules: filter.rules }),
  };
  return jail;
}

const NO_FILTER: ImportedFilter & { isBuiltIn: boolean } = { notes: [], isBuiltIn: false };

/** Does the jail read fail2ban's log for bans? A failregex of its own reads something else. */
function isRecidive({ valueOf: option, note }: Options, origin: string): boolean {
  const { name } = parseFilterOption(option("filter") || origin);
  if (name !== COUNTS_BANS || option("failregex") !== "") return false;
  note(
    "filter",
    "recidive: source: bans takes its place, which counts the bans of the whole fleet",
  );
  return true;
}

interface FilterFrom {
  ini: Ini;
  folder: string;
  origin: string;
  options: Options;
}

function filterOf({
  ini,
  folder,
  origin,
  options,
}: FilterFrom): ImportedFilter & { isBuiltIn: boolean } {
  const { valueOf: option, note } = options;
  const { name, parameters } = parseFilterOption(option("filter") || origin);
  if (option("backend").startsWith("systemd") && !parameters.has("logtype")) {
    parameters.set("logtype", "journal");
  }
  const none = { notes: [], isBuiltIn: false };
  const plain = importFilter(folder, name, parameters);
  // %(known/failregex)s in a jail is what its filter has.
  for (const [each, value] of plain?.options ?? []) setKnown(ini, origin, each, value);
  const own = new Map(
    FILTER_OPTIONS.map((each) => [each, option(each)] as const).filter(([, value]) => value !== ""),
  );
  const isLocal = existsSync(join(folder, "filter.d", `${name}.local`));
  if (name === BUILT_IN && !isLocal && !own.has("failregex")) {
    note("filter", "dovecot: fleetban's own detection takes its place, which counts attempts");
    if (parameters.get("mode") === "aggressive")
      note("filter", "dovecot: set mode: aggressive in agent.yaml");
    return { ...none, isBuiltIn: true, ...(plain?.unit !== undefined && { unit: plain.unit }) };
  }
  if (plain) {
    const filter = own.size === 0 ? plain : importFilter(folder, name, parameters, own);
    return { ...(filter ?? plain), isBuiltIn: false };
  }
  const failregex = expressionsOf(own.get("failregex") ?? "");
  if (failregex.length > 0) {
    const ignoreregex = expressionsOf(own.get("ignoreregex") ?? "");
    const { rules, notes } = importRules({ failregex, ignoreregex });
    for (const each of notes) {
      note(each.startsWith("ignoreregex") ? "ignoreregex" : "failregex", each);
    }
    return { ...none, ...(rules && { rules }) };
  }
  note("filter", `${name}: there is no such file in filter.d`);
  return none;
}

/** Options of fail2ban that fleetban handles in another way, or not at all. */
function noteOptions({ valueOf: option, note }: Options): void {
  if (option("ignorecommand") !== "") note("ignorecommand", "no commands are run");
  const encoding = option("logencoding");
  if (!/^(?:|auto|utf-?8|ascii)$/i.test(encoding)) {
    note("logencoding", `${encoding}: logs are read as UTF-8, what is not counts as one character`);
  }
}

/**
 * What `ignoreip` spares. A jail's own list is for that jail; one for all jails, or of a jail that
 * cannot be carried over, is for none alone.
 */
function allowlistOf(
  { ini, folder, notes }: { ini: Ini; folder: string; notes: string[] },
  jails: readonly ImportedJail[],
): ImportedFail2ban["allowlist"] {
  const ofAll = new Set<string>();
  const ofJails = new Map<string, { address: string; jail: string }>();
  const said = new Set<string>();
  for (const { origin, name, settings } of jails) {
    const at = within(folder, placeOf(ini, origin, "ignoreip") ?? "");
    const isForAll = isOfAll(ini, origin, "ignoreip");
    for (const text of wordsOf(valueOf(ini, origin, "ignoreip") ?? "")) {
      if (isLoopback(text)) continue;
      const address = parseNetwork(text) ?? parseHostName(text);
      if (address === undefined) {
        said.add(`${at}: ignoreip: expected an address, a network or a host name, got ${text}`);
      } else if (isForAll) {
        ofAll.add(address);
      } else if (settings) {
        ofJails.set(`${name} ${address}`, { address, jail: name });
      }
    }
  }
  notes.push(...said);
  return [...ofAll, ...[...ofJails.values()].filter(({ address }) => !ofAll.has(address))];
}

/** Loopback is never banned anyway. */
function isLoopback(text: string): boolean {
  const address = parseNetwork(text);
  if (address === undefined) return text === "localhost";
  return LOOPBACK.some((each) => overlaps(each, address));
}

function durationOf(
  what: "findtime" | "bantime",
  { valueOf: option, note }: Options,
): string | number {
  const text = option(what);
  const seconds = parseDuration(text === "" ? "10m" : text);
  if (seconds === undefined || (seconds === null && what === "findtime")) {
    note(what, `expected a duration such as 10m, got ${text}, 10m is taken`);
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

function isTrue(text: string | undefined): boolean {
  return /^(?:1|yes|true|on)$/i.test(text?.trim() ?? "");
}
