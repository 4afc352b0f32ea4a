/** What a host reports, in words: its firewall, its sources, its clock, its warnings. */
import { formatDuration } from "../config/duration.ts";
import type { HostRow } from "../wire/api.ts";
import { isEffective } from "../wire/status.ts";
import type { WarningCode } from "../wire/warnings.ts";
import { count } from "../config/count.ts";
import { describeWarning } from "./status.ts";
import type { Cell } from "./table.ts";

type Status = NonNullable<HostRow["status"]>;

const PASSED_OVER: WarningCode = "firewall-passed-over";

/** "nftables (not the first choice)", "ipset (not effective)": a warning below says why. */
export function describeFirewall({
  firewall,
  warnings,
}: Pick<Status, "firewall" | "warnings">): Cell {
  if (firewall !== "dry-run" && !isEffective({ firewall, warnings })) {
    return { text: `${firewall} (not effective)`, color: "red" };
  }
  const isSecond = warnings.some(({ code }) => code === PASSED_OVER);
  const text = isSecond ? `${firewall} (not the first choice)` : firewall;
  return isSecond || firewall === "dry-run" ? { text, color: "yellow" } : text;
}

type Sources = Status["sources"];

/** "2 sources", "1 of 2 sources". */
export function describeSources(sources: Sources): Cell {
  const reading = sources.filter(({ state }) => state === "reading").length;
  const all = count(sources.length, "source");
  if (reading === sources.length && reading > 0) return all;
  return { text: `${reading} of ${all}`, color: "yellow" };
}

/** "+3.2s", "-1095d 18h"; less than a second may be the network's delay. */
export function describeSkew(milliseconds: number): Cell {
  const seconds = Math.abs(milliseconds) / 1000;
  if (seconds < 1) return "ok";
  const length = seconds < 60 ? `${seconds.toFixed(1)}s` : formatDuration(seconds);
  return { text: `${milliseconds > 0 ? "+" : "-"}${length}`, color: "yellow" };
}

/** Stamps of a log that are moved are no warning: they are right now. */
function describeShift({ name, shift = 0 }: Sources[number]): Cell[][] {
  if (shift === 0) return [];
  const moved = `${formatDuration(Math.abs(shift) / 1000)} ${shift > 0 ? "later" : "earlier"}`;
  const text =
    `source ${name}: its log is of another time zone, and its times are taken for ${moved}; ` +
    "timezone: of the source says so for good";
  return [["corrected:", text]];
}

/** The status of a host, and the bans that the host does not apply. */
export function warningsOf({ host, status }: HostRow): Cell[][] {
  if (status === null) return [];
  return [
    ...status.warnings.map((warning) => [host, ...describeWarning(warning)]),
    ...status.sources.flatMap(describeShift).map((cells) => [host, ...cells]),
    ...status.refused.map(({ address, reason }) => [
      host,
      { text: "refused:", color: "yellow" } as const,
      `${address}: ${reason}`,
    ]),
  ];
}

/** Of a host's state. */
export const colorOf = ({ state, awaited }: HostRow) =>
  awaited ? "yellow" : state === "up" ? "green" : "red";
