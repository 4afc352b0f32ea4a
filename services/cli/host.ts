/** `fleetban host list`: every agent, and how far it has come; `host remove`: those that are no more. */
import { Command } from "commander";
import { formatDuration } from "../config/duration.ts";
import type { HostRow } from "../wire/api.ts";
import { isEffective } from "../wire/status.ts";
import type { WarningCode } from "../wire/warnings.ts";
import { checksOf } from "./arguments.ts";
import { quarantineCommand } from "./host-quarantine.ts";
import { hostWaitCommand } from "./host-wait.ts";
import { JSON_OPTION, noteStale, type Context, type JsonOption } from "./context.ts";
import { listHosts } from "./list-hosts.ts";
import { count, describeWarning } from "./status.ts";
import type { Cell } from "./table.ts";
import { formatRelative } from "./time.ts";

export function hostCommand(context: Context): Command {
  const { ask, output, now } = context;
  const command = new Command("host").description("the mail hosts and their agents");

  command
    .command("list")
    .description("every host: up or down, how many bans are in its firewall")
    .option(...JSON_OPTION)
    .action(async ({ json }: JsonOption) => {
      const reply = await listHosts(context);
      noteStale(context, reply.stale);
      if (json) {
        output.json("host.list", reply);
        return;
      }
      if (reply.hosts.length === 0) {
        output.line("no host has reported yet");
        return;
      }
      output.table([HEAD, ...reply.hosts.map((row) => describeHost(row, now()))]);
      const warnings = reply.hosts.flatMap(warningsOf);
      if (warnings.length === 0) return;
      output.line("");
      output.facts(warnings);
    });

  command
    .command("remove")
    .description("no longer list a host that is no more")
    .argument("<host>", "its name", checksOf("host remove", output.note).host)
    .option(...JSON_OPTION)
    .action(async (host: string, { json }: JsonOption) => {
      const reply = await ask("host.remove", { host });
      if (json) {
        output.json("host.remove", reply);
        return;
      }
      output.line(`${host} is no longer listed`);
      if (reply.wasUp) output.note("it was up: if its agent goes on, it is listed again");
    });

  return command.addCommand(quarantineCommand(context)).addCommand(hostWaitCommand(context));
}

const HEAD = [
  "HOST",
  "STATE",
  "HEARD",
  "FIREWALL",
  "BANS",
  "CURRENT",
  "READING",
  "CLOCK",
  "VERSION",
];

function describeHost(row: HostRow, now: number): Cell[] {
  const { host, state, lastSeenAt, current, clockSkew, status } = row;
  const shown: Cell = row.quarantine
    ? { text: `${state}, quarantined`, color: "yellow" }
    : { text: state, color: state === "up" ? "green" : "red" };
  const heard = formatRelative(lastSeenAt, now);
  if (status === null) return [host, shown, heard, "-", "-", "-", "-", "-", "-"];
  const isCurrent: Cell = current ? "yes" : { text: "no", color: "yellow" };
  const bans = String(status.bansInForce);
  const clock = describeSkew(clockSkew);
  const firewall = describeFirewall(status);
  const reading = describeSources(status.sources);
  return [host, shown, heard, firewall, bans, isCurrent, reading, clock, status.version];
}

type Status = NonNullable<HostRow["status"]>;

const PASSED_OVER: WarningCode = "firewall-passed-over";

/** "nftables (not the first choice)", "ipset (not effective)": a warning below says why. */
function describeFirewall({ firewall, warnings }: Pick<Status, "firewall" | "warnings">): Cell {
  if (firewall !== "dry-run" && !isEffective({ firewall, warnings })) {
    return { text: `${firewall} (not effective)`, color: "red" };
  }
  const isSecond = warnings.some(({ code }) => code === PASSED_OVER);
  const text = isSecond ? `${firewall} (not the first choice)` : firewall;
  return isSecond || firewall === "dry-run" ? { text, color: "yellow" } : text;
}

type Sources = Status["sources"];

/** "2 sources", "1 of 2 sources". */
function describeSources(sources: Sources): Cell {
  const reading = sources.filter(({ state }) => state === "reading").length;
  const all = count(sources.length, "source");
  if (reading === sources.length && reading > 0) return all;
  return { text: `${reading} of ${all}`, color: "yellow" };
}

/** "+3.2s", "-1095d 18h"; less than a second may be the network's delay. */
function describeSkew(milliseconds: number): Cell {
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
function warningsOf({ host, status }: HostRow): Cell[][] {
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
