/**
 * The actions of a jail of fail2ban: which of them ban, and what exactly a ban of theirs closes.
 *
 *   action = iptables-multiport[name=mail, port="pop3,imap", protocol=tcp]
 *            sendmail-whois[name=mail, dest=root]
 *
 * A parameter in brackets goes before what the action's own file in action.d says.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readIni, valueOf, valuesOf, type Ini } from "./ini.ts";
import { replaceTags } from "./tags.ts";

export interface Action {
  /** The file in action.d, such as "iptables-multiport". */
  name: string;
  /** What stands in brackets, by names in lower case. */
  parameters: ReadonlyMap<string, string>;
}

/** The ports that a ban of one action closes, in fail2ban's words. */
export interface BanAction extends Action {
  /** fail2ban's `port`; "all" where the rules of the action name none. */
  port: string;
  protocol: string;
  /** undefined: the action knows no chain. */
  chain: string | undefined;
}

/** Actions that change a firewall, by their names. */
const FIREWALL =
  /^(?:iptables|nftables|firewallcmd|ufw|shorewall|pf|ipfw|bsd-ipfw|osx-|npf|ipfilter|apf|route|hostsdeny|symbiosis)/;
/** Actions of the administrator's own that change one: what their commands call. */
const FIREWALL_COMMAND = /\b(?:ip6?tables|nft|ipset|firewall-cmd|ufw|pfctl|ipfw|shorewall)\b/;
/** Actions whose rules name no port, where their files cannot be read. */
const ALL_PORTS = /allports|^(?:ufw|shorewall|route|hostsdeny|npf|apf|ipfilter)/;
/** What iptables.conf says where nothing else does (fail2ban, config/action.d/iptables.conf). */
const DEFAULTS: ReadonlyMap<string, string> = new Map([
  ["port", "ssh"],
  ["protocol", "tcp"],
  ["chain", "INPUT"],
]);
/** What an action's rules may name. */
const NAMED = ["port", "protocol", "chain"] as const;
/** Stands for `<port>` and the like, to see whether the rules of an action name it at all. */
const markOf = (option: string) => `\u0000${option}\u0000`;

/**
 * Takes the option `action` apart, all of its lines. `iptables[type=oneport][port=ssh]`, which
 * %(banaction)s[...] leads to, has the parameters of both brackets, the later ones over the earlier.
 */
export function parseActions(text: string): Action[] {
  const actions = text.matchAll(/([^\s,[\]]+)[ \t]*((?:\[(?:"[^"]*"|'[^']*'|[^\]"'])*\])*)/g);
  return [...actions].map(([, name = "", inside = ""]) => ({
    name: name.replace(/\.py$/, ""),
    parameters: parseParameters(inside),
  }));
}

/** `mode=aggressive, logtype="a,b"`, with or without the brackets around it. */
export function parseParameters(inside: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const [, key = "", double, single, bare = ""] of inside.matchAll(
    /([\w?-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^,\]]*))/g,
  )) {
    parameters.set(key.toLowerCase(), (double ?? single ?? bare).trim());
  }
  return parameters;
}

/** The ports that a ban of this action closes; undefined: the action changes no firewall. */
export function readBanAction(folder: string, action: Action): BanAction | undefined {
  const path = join(folder, "action.d", `${action.name}.conf`);
  const local = path.replace(/\.conf$/, ".local");
  if (!existsSync(path) && !existsSync(local)) return guessBanAction(action);
  const ini = readIni([path, local]);
  const { parameters } = action;
  const defaults = new Map([...valuesOf(ini, "Init"), ...valuesOf(ini, "Definition")]);
  const options = new Map([...defaults, ...withKnown(parameters, defaults)]);
  const rules = rulesOf(ini, options);
  if (!FIREWALL.test(action.name) && !FIREWALL_COMMAND.test(rules)) return undefined;
  const value = (option: string) =>
    rules.includes(markOf(option)) ? replaceTags(ini, options, `<${option}>`) : undefined;
  return {
    ...action,
    port: value("port") ?? "all",
    protocol: value("protocol") ?? "all",
    // nftables has chains of its own there.
    chain: /iptables/.test(rules) ? value("chain") : undefined,
  };
}

/** `<known/chain>` in a parameter is what the action's file says. */
function withKnown(
  parameters: ReadonlyMap<string, string>,
  defaults: ReadonlyMap<string, string>,
): Map<string, string> {
  const known = (value: string) =>
    value.replace(/<known\/([\w-]+)>/g, (tag, name: string) => defaults.get(name) ?? tag);
  return new Map([...parameters].map(([name, value]) => [name, known(value)]));
}

/** The commands that make the rules, with a mark where they name something of `NAMED`. */
function rulesOf(ini: Ini, options: ReadonlyMap<string, string>): string {
  const marked = new Map([...options, ...NAMED.map((name) => [name, markOf(name)] as const)]);
  return ["actionstart", "actionban"]
    .map((option) => replaceTags(ini, marked, valueOf(ini, "Definition", option) ?? ""))
    .join("\n");
}

/** The same by the action's name alone, where its file is not there. */
function guessBanAction(action: Action): BanAction | undefined {
  const { name, parameters } = action;
  if (!FIREWALL.test(name)) return undefined;
  const isOfAll = ALL_PORTS.test(name) || /allports/.test(parameters.get("type") ?? "");
  const value = (option: string) => {
    const given = parameters.get(option) ?? "";
    return given === "" || given.startsWith("<known/") ? (DEFAULTS.get(option) ?? "") : given;
  };
  return {
    ...action,
    port: isOfAll ? "all" : value("port"),
    protocol: value("protocol"),
    chain: name.startsWith("iptables") ? value("chain") : undefined,
  };
}
