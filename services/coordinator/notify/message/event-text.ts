/**
 * Events in words, for mails and chats. Titles hold nothing that anybody outside has chosen: jails,
 * addresses and hosts have a spelling of their own. Other text is made plain (plain-text.ts).
 */
import { formatDuration } from "../../../config/duration.ts";
import type { Delivery, Totals } from "../digest.ts";
import {
  isCondition,
  type BannedFacts,
  type ConditionType,
  type EventType,
  type NotifyEvent,
} from "../event.ts";
import { lineOfFacts, type AddressFacts } from "../whois/address-facts.ts";
import { plainLine } from "./plain-text.ts";

/** What is known of the addresses of a message. */
export type FactsOf = (event: NotifyEvent) => AddressFacts | undefined;

const NAMES: Readonly<Record<EventType, string>> = {
  ban: "bans",
  "network-ban": "networks banned",
  unban: "bans ended",
  held: "bans held",
  "host-silent": "hosts silent or back",
  "host-behind": "hosts behind or current",
  "credentials-expire": "credentials that expire",
  coverage: "faults of what is read",
};

/** The line of a mail's subject, or of a chat. */
export function titleOf({ events, totals, isTest }: Delivery): string {
  const [first] = events;
  if (isTest) return "test: this sink works, and nobody was banned";
  if (totals.events === 1 && first) return titleOfEvent(first);
  const counts = [...totals.byType].map(([type, count]) => `${count} ${NAMES[type]}`);
  return counts.join(", ");
}

function titleOfEvent({ type, ban, condition }: NotifyEvent): string {
  if (condition && isCondition(type)) return titleOfCondition(type, condition);
  if (!ban) return type;
  const { jail, address } = ban;
  switch (ban.state) {
    case "active":
      return `${jail}: banned ${address}${from(ban)}`;
    case "held":
      return `${jail}: held the ban of ${address}${from(ban)}`;
    case "lifted":
      return `${jail}: ${address} is no longer banned`;
    case "expired":
      return `${jail}: the ban of ${address} is over`;
  }
}

function titleOfCondition(
  type: ConditionType,
  { host, isOver }: NonNullable<NotifyEvent["condition"]>,
): string {
  const where = host ?? "the centre";
  switch (type) {
    case "host-silent":
      return isOver ? `host ${where} reports again` : `host ${where} is silent`;
    case "host-behind":
      return isOver
        ? `host ${where} has the last bans`
        : `host ${where} does not have the last bans`;
    case "credentials-expire":
      return isOver ? `credentials of ${where} are renewed` : `credentials of ${where} expire soon`;
    case "coverage":
      return isOver ? `${where}: what was wrong is over` : `${where}: not everything is read`;
  }
}

/** " on 3 hosts"; an operator's ban has no evidence. */
const from = ({ hosts }: BannedFacts) => (hosts === 0 ? "" : ` on ${counted(hosts, "host")}`);

/** Everything about one event, in lines. */
export function linesOfEvent(event: NotifyEvent, facts: AddressFacts | undefined): string[] {
  const { ban, condition, at } = event;
  if (condition) {
    const { text, since } = condition;
    return [titleOfEvent(event), `  ${plainLine(text, 500)}`, `  since ${instant(since)}`];
  }
  if (!ban) return [];
  const until = ban.until === null ? "for ever" : `until ${instant(ban.until)}`;
  const length =
    ban.until === null ? "" : ` (${formatDuration((ban.until - ban.startsAt) / 1000)})`;
  const seen = ban.evidence.map(({ host, failures }) => `${host} ${failures}`);
  const others = ban.hosts - ban.evidence.length;
  const whois = lineOfFacts(facts);
  return [
    titleOfEvent(event),
    `  at        ${instant(at)}`,
    ...(ban.state === "active" ? [`  banned    ${until}${length}, offence ${ban.offence}`] : []),
    ...(ban.state === "held" ? [`  held      ${plainLine(ban.held ?? "")}`] : []),
    `  reason    ${plainLine(ban.reason)}`,
    `  by        ${plainLine(ban.by)}`,
    ...(seen.length > 0
      ? [`  failures  ${seen.join(", ")}${others > 0 ? ` and ${others} more hosts` : ""}`]
      : []),
    ...(whois === undefined ? [] : [`  whois     ${whois}`]),
    ...remedyOf(ban),
  ];
}

function remedyOf({ state, address, jail }: BannedFacts): string[] {
  switch (state) {
    case "active":
      return [`  to lift   fleetban ban remove ${address} --jail ${jail}`];
    case "held":
      return [
        "  to see    fleetban ban list --held",
        "  to ban    fleetban ban release, to drop it: fleetban ban discard",
      ];
    case "lifted":
    case "expired":
      return [];
  }
}

/** Totals of a digest that has more events than it shows. */
export function linesOfTotals({ since, until, byType, byJail, networks }: Totals): string[] {
  return [
    `from ${instant(since)} to ${instant(until)}:`,
    ...[...byType].map(([type, count]) => `  ${count} ${NAMES[type]}`),
    ...[...byJail].map(([jail, count]) => `  ${count} in jail ${jail}`),
    ...(networks.length > 0 ? ["", "the networks with the most banned addresses:"] : []),
    ...networks.map(([network, count]) => `  ${String(count).padStart(6)}  ${network}`),
  ];
}

/** The whole body of a mail. */
export function bodyOf({ events, totals }: Delivery, factsOf: FactsOf): string {
  const blocks = events.map((event) => linesOfEvent(event, factsOf(event)).join("\n"));
  const rest = totals.events - events.length;
  const isDigest = totals.events > 1;
  return [
    ...(isDigest ? [linesOfTotals(totals).join("\n")] : []),
    ...blocks,
    ...(rest > 0 ? [`and ${rest} more: fleetban ban list --all`] : []),
  ].join("\n\n");
}

/** A few lines for a chat. */
export function shortOf({ events, totals }: Delivery): string {
  if (totals.events === 1 && events[0]) {
    return linesOfEvent(events[0], undefined)
      .slice(1)
      .map((line) => line.trim())
      .join("\n");
  }
  const shown = events.slice(0, SHORT).map(titleOfEvent);
  const rest = totals.events - shown.length;
  return [
    ...shown,
    ...(rest > 0 ? [`and ${rest} more`] : []),
    ...(totals.events > SHORT ? linesOfTotals(totals) : []),
  ].join("\n");
}

const SHORT = 5;

const instant = (at: number) => `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;
const counted = (number: number, noun: string) => `${number} ${noun}${number === 1 ? "" : "s"}`;
