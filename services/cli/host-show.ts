/** `fleetban host show HOST`: all that the fleet knows of one host. */
import { Command } from "commander";
import { formatDuration } from "../config/duration.ts";
import type { HostRow, Reply } from "../wire/api.ts";
import { checksOf } from "./arguments.ts";
import { compareVersions } from "./compare-versions.ts";
import { JSON_OPTION, noteStale, type Context, type JsonOption } from "./context.ts";
import { colorOf, describeFirewall, describeSkew, warningsOf } from "./host-words.ts";
import { count } from "../config/count.ts";
import type { Cell } from "./table.ts";
import { formatBoth, formatRelative } from "./time.ts";

export function hostShowCommand(context: Context): Command {
  const { ask, output, now } = context;
  return new Command("show")
    .description("one host: its agent, its firewall, what it reads, its warnings")
    .argument("<host>", "its name", checksOf("host show", output.note).host)
    .option(...JSON_OPTION)
    .action(async (host: string, { json }: JsonOption) => {
      const reply = await ask("host.show", { host });
      noteStale(context, reply.stale);
      if (json) output.json(reply);
      else output.facts(describe(reply, now()));
    });
}

function describe({ host: row, version }: Reply<"host.show">, now: number): Cell[][] {
  const { host, state, awaited, lastSeenAt, quarantine, status, missedOffences = 0 } = row;
  const heard = awaited
    ? "not heard yet, the coordinator has just started"
    : `${state}, last heard ${formatRelative(lastSeenAt, now)}`;
  const quarantined =
    quarantine && `since ${formatBoth(quarantine.since, now)}: ${quarantine.reason}`;
  return [
    ["host", { text: host, color: "bold" }],
    ["state", { text: heard, color: colorOf(row) }],
    ...(quarantined ? [["quarantine", { text: quarantined, color: "yellow" } as const]] : []),
    ...(status ? describeAgent(row, status, { version, now }) : [["agent", NEVER_HEARD]]),
    ...(missedOffences > 0 ? [["missed", describeMissed(missedOffences)]] : []),
    ...warningsOf(row).map(([, ...cells]) => ["warning", ...joined(cells)]),
  ];
}

const NEVER_HEARD = "not heard since this coordinator started";
const describeMissed = (offences: number) =>
  `${count(offences, "offence")} over before a ban could be written`;

/** Two cells of a warning as one: facts have two columns. */
function joined(cells: readonly Cell[]): Cell[] {
  const texts = cells.map((cell) => (typeof cell === "string" ? cell : cell.text));
  const color = cells.flatMap((cell) => (typeof cell === "string" ? [] : [cell.color]))[0];
  const text = texts.join(" ");
  return [color === undefined ? text : { text, color }];
}

type Status = NonNullable<HostRow["status"]>;

function describeAgent(
  { state, current, clockSkew }: HostRow,
  status: Status,
  { version, now }: { version: string; now: number },
): Cell[][] {
  const { startedAt, bansInForce, repairs, addresses, sources } = status;
  const where = status.firewall === "dry-run" ? "only logged" : "in force";
  const bans = `${count(bansInForce, "ban")} ${where}`;
  const notKnown = `${bans} when it was last heard`;
  const behind = state === "up" ? `${bans}, not every one yet` : notKnown;
  return [
    ["agent", describeVersion(status.version, version)],
    ["started", formatBoth(startedAt, now)],
    ["firewall", describeFirewall(status)],
    ["bans", current ? bans : { text: behind, color: "yellow" }],
    ["repairs", `${count(repairs, "repair")} of the firewall since its start`],
    ["clock", describeSkew(clockSkew)],
    ["addresses", addresses.length === 0 ? "none reported" : addresses.join(", ")],
    ...sources.map((source): Cell[] => ["source", describeSource(source, now)]),
    ...(sources.length === 0 ? [["source", { text: "none", color: "yellow" } as const]] : []),
  ];
}

function describeVersion(version: string, ofCoordinator: string): Cell {
  if (compareVersions(version, ofCoordinator) >= 0) return `fleetban-agent ${version}`;
  return {
    text: `fleetban-agent ${version}, older than the coordinator's ${ofCoordinator}`,
    color: "yellow",
  };
}

function describeSource(source: Status["sources"][number], now: number): Cell {
  const { name, jail, state, lines, failures, lag, lastLineAt } = source;
  const last = lastLineAt === null ? "no line yet" : `last line ${formatRelative(lastLineAt, now)}`;
  const counted = `${count(lines, "line")}, ${count(failures, "failure")}`;
  const behind = lag === 0 ? "" : `, ${lag} bytes behind`;
  const shift = source.shift
    ? `, its times moved by ${formatDuration(Math.abs(source.shift) / 1000)}`
    : "";
  const text = `${name} for ${jail}: ${state}, ${counted}, ${last}${behind}${shift}`;
  return state === "reading" ? text : { text, color: "yellow" };
}
