/** `fleetban status`: is the fleet protected, and if not, what is there to do? */
import { Command } from "commander";
import { formatDuration } from "../config/duration.ts";
import { describePorts, describeTerm } from "../policy/jail-sentences.ts";
import { EXIT, PlainError, SilentExit, type ExitCode } from "../process/exit.ts";
import type { Reply } from "../wire/api.ts";
import type { Jail } from "../wire/settings.ts";
import type { Warning } from "../wire/warnings.ts";
import { JSON_OPTION, type Context, type JsonOption } from "./context.ts";
import { count } from "../config/count.ts";
import type { Cell } from "./table.ts";
import { formatRelative } from "./time.ts";

type Status = Reply<"status.show">;

export function statusCommand(context: Context): Command {
  const { ask, output, now } = context;
  return new Command("status")
    .description("say how the fleet is: hosts, bans, coordinator, warnings")
    .option("--exit-code", "exit 0 if all is well, 1 on warnings, 2 if something does not work")
    .option(...JSON_OPTION)
    .action(async ({ json, exitCode }: StatusOptions) => {
      const status = await (exitCode ? askOrFail(context) : ask("status.show", {}));
      printStatus(status, json);
      const code = exitCodeOf(status.warningCounts);
      if (exitCode && code !== EXIT.ok) throw new SilentExit(code);
    });

  function printStatus(status: Status, json: true | undefined): void {
    if (json) {
      output.json(status);
      return;
    }
    output.facts(describeStatus(status, now()));
    if (status.warnings.length === 0) return;
    output.line("");
    output.facts(status.warnings.map(describeWarning));
    const { high, medium, low } = status.warningCounts;
    const rest = high + medium + low - status.warnings.length;
    if (rest > 0) output.note(`and ${rest} more warnings: fleetban host list`);
  }
}

interface StatusOptions extends JsonOption {
  exitCode?: true;
}

/** As monitoring systems have it: 1 is a warning, 2 is critical. */
function exitCodeOf({ high, medium, low }: Status["warningCounts"]): ExitCode {
  if (high > 0) return EXIT.critical;
  return medium + low > 0 ? EXIT.refused : EXIT.ok;
}

/** For --exit-code, a coordinator that does not answer is something that does not work. */
async function askOrFail({ ask }: Context): Promise<Status> {
  try {
    return await ask("status.show", {});
  } catch (cause) {
    if (!(cause instanceof PlainError)) throw cause;
    throw new PlainError(cause.message, EXIT.critical, { cause });
  }
}

function describeStatus(status: Status, now: number): Cell[][] {
  const { hosts, postgres } = status;
  const otherJails = status.jailCount - status.jails.length;
  const counted = `${count(status.failures, "failure")} since its start ${formatRelative(status.startedAt, now)}`;
  const held = status.heldBans ? `, ${status.heldBans} held` : "";
  const broken = status.undecodable === 0 ? "" : `, ${status.undecodable} messages not decodable`;
  return [
    ["hosts", describeHosts(hosts)],
    [
      "bans",
      `${status.bans} in force${held}; ${count(status.allowed, "entry", "entries")} on the allowlist`,
    ],
    ["decider", status.decider ?? { text: "none: nobody decides on bans", color: "red" }],
    ["answered by", `${status.coordinator}, fleetban ${status.version}`],
    ["counted", counted + broken],
    ...describeMissed(status.missedOffences ?? 0),
    ...describeSpared(status.sparedOffences),
    ["PostgreSQL", describePostgres(postgres)],
    ...status.jails.map((jail) => ["jail", describeJail(jail)]),
    ...(otherJails > 0 ? [["jail", `and ${otherJails} more`]] : []),
  ];
}

function describeMissed(missed: number): Cell[][] {
  if (missed === 0) return [];
  const text = `${count(missed, "offence")} over before a ban could be written`;
  return [["not banned", { text, color: "yellow" }]];
}

function describeSpared(spared: Status["sparedOffences"]): Cell[][] {
  if (!spared || spared.allowlist + spared.machines === 0) return [];
  const { allowlist, machines } = spared;
  const text = `${count(allowlist, "offence")} of the allowlist, ${machines} of the fleet's own machines`;
  return [["spared", text]];
}

function describeHosts({ up, down, current, awaited = 0 }: Status["hosts"]): Cell {
  if (up + down + awaited === 0)
    return { text: "none yet: no agent has reported", color: "yellow" };
  const behind = up - current;
  const bans = behind === 0 ? "all that are up have every ban" : `${behind} without the last bans`;
  const parts = [`${up} up`, ...(down > 0 ? [`${down} down`] : []), ...(up > 0 ? [bans] : [])];
  if (awaited > 0) parts.push(`${awaited} not heard yet since the coordinator started`);
  const text = parts.join(", ");
  return down + behind + awaited > 0 ? { text, color: down > 0 ? "red" : "yellow" } : text;
}

function describePostgres({ reachable, lag }: Status["postgres"]): Cell {
  const waiting = lag === null ? "not known what is" : `${lag} messages`;
  const recorded = lag === 0 ? "everything is recorded" : `${waiting} to be recorded`;
  if (reachable) return `reachable, ${recorded}`;
  return { text: `cannot be reached, ${recorded}; bans go on`, color: "yellow" };
}

function describeJail(jail: Jail): string {
  const counted = count(jail.maxretry, jail.source === "bans" ? "ban" : "failure");
  const earned = `${counted} within ${formatDuration(jail.findtime)}`;
  const network = jail.network
    ? `, networks from ${jail.network.addresses} banned addresses on`
    : "";
  return `${jail.name}: ${earned}, banned ${describeTerm(jail)}${network}, ${describePorts(jail)}`;
}

/** A row of three columns: the severity, the warning, and the command to run. */
export function describeWarning({ severity, text }: Warning): Cell[] {
  const color = severity === "high" ? "red" : severity === "medium" ? "yellow" : "dim";
  return [{ text: `${severity}:`, color }, text];
}
