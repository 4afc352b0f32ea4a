/**
 * What a jail's bans close, as fleetban says it: ports, protocol and chains. Never more than the
 * actions of fail2ban close: what cannot be told, or cannot be said here, closes nothing.
 */
import { parseActions, readBanAction, type BanAction } from "./fail2ban-actions.ts";
import { isMailAction } from "./fail2ban-mail.ts";
import type { Options } from "./jail-options.ts";
import { portsOf } from "./ports.ts";
import type { Protocol } from "../../wire/settings.ts";

export interface Closed {
  ports: number[] | "all";
  protocol: Protocol;
  /** iptables' chains that the rules go into. */
  chains: string[];
}

/** Parameters of a banning action that need no note: they are carried over, or only name its parts. */
const SILENT = new Set(["port", "protocol", "chain", "type", "actname", "actiontype"]);
const FAMILY = /\?family=/;

/**
 * What the banning actions of a jail close together. Notes what is not carried over; undefined: the
 * jail's bans cannot be carried over, and a note says why.
 */
export function closedBy(folder: string, options: Options, origin: string): Closed | undefined {
  const actions = bansOf(folder, options, origin);
  if (actions.length === 0) return undefined;
  for (const action of actions) noteParameters(action, options, origin);
  const protocol = protocolOf(actions, options);
  const ports = closedPorts(actions, options);
  if (protocol === undefined || ports === undefined) return undefined;
  const chains = [...new Set(actions.flatMap(({ chain }) => (chain ? [chain] : [])))];
  noteChains(chains, options);
  return { ports, protocol, chains: chains.filter((chain) => CHAIN.test(chain)) };
}

/** As agent.yaml takes it. */
const CHAIN = /^[\w.-]{1,28}$/;

function bansOf(folder: string, options: Options, origin: string): BanAction[] {
  const { valueOf, note } = options;
  const text = valueOf("action");
  // Where no jail.conf says otherwise: the action that fail2ban's own jail.conf has.
  const given = ["port", "protocol", "chain"].map((name): [string, string] => [
    name,
    valueOf(name),
  ]);
  const banaction = valueOf("banaction") || "iptables-multiport";
  const fallback = { name: banaction, parameters: new Map(given.filter(([, value]) => value)) };
  const actions = text === "" ? [fallback] : parseActions(text);
  const bans = actions.flatMap((action) => {
    const ban = readBanAction(folder, action);
    if (!ban && !isMailAction(action))
      note("action", `${action.name}: fleetban's agents ban, nothing else is done`);
    return ban ? [ban] : [];
  });
  if (bans.length === 0) {
    note("action", `none of the jail's actions closes a port, so ${origin} is not carried over`);
  }
  return bans;
}

function protocolOf(
  actions: readonly BanAction[],
  { note, valueOf }: Options,
): Closed["protocol"] | undefined {
  const protocols = new Set(actions.flatMap(({ protocol }) => protocol.split(/[\s,]+/)));
  if (protocols.has("all") || protocols.has("any")) return "all";
  const [hasTcp, hasUdp] = [protocols.has("tcp"), protocols.has("udp")];
  const others = [...protocols].filter((each) => each !== "tcp" && each !== "udp").join(", ");
  const option = valueOf("protocol") === "" ? "action" : "protocol";
  if (!hasTcp && !hasUdp) {
    note(option, `protocol ${others}: expected tcp or udp, so the jail is not carried over`);
    return undefined;
  }
  if (others !== "") note(option, `protocol ${others}: stays open`);
  return hasTcp && hasUdp ? "tcp,udp" : hasTcp ? "tcp" : "udp";
}

function closedPorts(
  actions: readonly BanAction[],
  { note, valueOf }: Options,
): Closed["ports"] | undefined {
  const all = actions.map(({ port }) => portsOf(port));
  const option = valueOf("port") === "" ? "action" : "port";
  for (const word of new Set(all.flatMap(({ unknown }) => unknown))) {
    note(option, `port ${word}: expected a number or a well-known name; it stays open`);
  }
  if (all.some(({ ports }) => ports === "all")) {
    note("action", "every port of the host is closed, as fail2ban closes every port");
    return "all";
  }
  const ports = new Set(all.flatMap((each) => (each.ports === "all" ? [] : each.ports)));
  if (ports.size > 0) return [...ports];
  note("action", "no port is left to close, so the jail is not carried over");
  return undefined;
}

function noteChains(chains: readonly string[], { note, valueOf }: Options): void {
  const option = valueOf("chain") === "" ? "action" : "chain";
  for (const chain of chains) {
    if (!CHAIN.test(chain))
      note(option, `chain ${chain}: expected a chain's name; name it by hand`);
    else if (chain !== "INPUT") {
      note(option, `chain ${chain}: set in agent.yaml, where it holds for all jails of the host`);
    }
  }
}

function noteParameters(action: BanAction, { note, valueOf }: Options, origin: string): void {
  for (const [parameter, value] of action.parameters) {
    if (SILENT.has(parameter) || FAMILY.test(parameter)) continue;
    if (parameter === "name" && value === origin) continue;
    if (parameter === "blocktype" && /^drop$/i.test(value)) continue;
    const meaning = MEANINGS[parameter] ?? "has no meaning here";
    note("action", `${action.name}: ${parameter}=${value}: ${meaning}`);
  }
  const blocktype = valueOf("blocktype");
  if (blocktype !== "" && !/^drop$/i.test(blocktype)) {
    note("blocktype", `${blocktype}: ${MEANINGS["blocktype"] ?? ""}`);
  }
}

const MEANINGS: Readonly<Record<string, string>> = {
  blocktype: "fleetban drops packets and answers nothing",
  bantime: "the jail's bantime holds here",
  name: "the chain has the jail's name here",
};
