/** Does somebody have to do something? The answer of the first screen, in one sentence. */
import type { Status, Warning } from "../api/messages.ts";
import { count, formatNumber } from "./numbers.ts";

export interface Verdict {
  /** "well": nothing to do. "look": when there is time. "act": now. "empty": a fleet without hosts. */
  level: "well" | "look" | "act" | "empty";
  sentence: string;
  /** Facts beside the sentence, for somebody who reads on. */
  detail: string;
}

export function verdictOf(status: Status): Verdict {
  const { hosts, bans, warningCounts, decider } = status;
  const { awaited = 0 } = hosts;
  const { high, medium, low } = warningCounts;
  const detail = describeFleet(status);
  const things = high + medium + heldToName(status);
  if (high > 0 || decider === null) {
    return { level: "act", sentence: `${needs(Math.max(things, 1))} now.`, detail };
  }
  if (things > 0) {
    return { level: "look", sentence: `${needs(things)}, none of them at once.`, detail };
  }
  if (awaited > 0) {
    const unheard = `${count(awaited, "host")} ${awaited === 1 ? "was" : "were"} not heard yet`;
    return { level: "look", sentence: `${unheard}: the coordinator has just started.`, detail };
  }
  if (hosts.up + hosts.down === 0) {
    return {
      level: "empty",
      sentence: "No mail server reports yet.",
      detail: "The coordinator is ready and decides as soon as the first agent reports.",
    };
  }
  const small = low === 0 ? "" : ` ${count(low, "small thing")} can wait.`;
  const protects = `${count(bans, "ban")} ${bans === 1 ? "is" : "are"} in force on ${count(hosts.up, "host")}.`;
  return { level: "well", sentence: `All is well: ${protects}`, detail: detail + small };
}

const needs = (things: number): string =>
  things === 1 ? "One thing needs you" : `${formatNumber(things)} things need you`;

/** Held bans are a thing of their own where no warning names them. */
export function heldToName({ heldBans = 0, warnings }: Status): number {
  return heldBans > 0 && !warnings.some(({ code }) => code === "bans-held") ? 1 : 0;
}

function describeFleet({ hosts, bans, decider }: Status): string {
  const behind = hosts.up - hosts.current;
  const { awaited = 0 } = hosts;
  const all = hosts.up + hosts.down + awaited;
  if (all === 0) return "No host has reported yet.";
  const parts = [
    hosts.up === all
      ? all === 1
        ? "The host reports"
        : `All ${count(all, "host")} report`
      : `${formatNumber(hosts.up)} of ${count(all, "host")} report`,
    behind === 0
      ? `${hosts.up === 1 ? "it has" : "every one of them has"} every ban`
      : `the newest bans are not in force yet on ${formatNumber(behind)} of them`,
    `${count(bans, "ban")} ${bans === 1 ? "is" : "are"} in force`,
    ...(decider === null ? ["nobody decides on new bans"] : []),
  ];
  return `${parts.join("; ")}.`;
}

/** Warnings of one kind, which many hosts may have at once: the first of them speaks for all. */
export interface WarningGroup {
  first: Warning;
  others: Warning[];
}

/** In the order of the warnings: the gravest first. */
export function groupWarnings(warnings: readonly Warning[]): WarningGroup[] {
  const groups = new Map<string, WarningGroup>();
  for (const warning of warnings) {
    const group = groups.get(warning.code);
    if (group) group.others.push(warning);
    else groups.set(warning.code, { first: warning, others: [] });
  }
  return [...groups.values()];
}

/** The host that a warning is about; undefined: it is about the centre. */
export const hostOfWarning = ({ text }: Warning): string | undefined =>
  /^host ([A-Za-z0-9_-]{1,63}): /.exec(text)?.[1];

/** The text without the name of its host, which stands beside it. */
export const textOfWarning = ({ text }: Warning): string =>
  text.replace(/^host [A-Za-z0-9_-]{1,63}: /, "");
