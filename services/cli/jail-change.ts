/** `fleetban jail set|unset|pause|resume`: change a jail for a while, without its file. */
import { Command } from "commander";
import type { JailRow, Reply } from "../wire/api.ts";
import { checksOf } from "./arguments.ts";
import { JSON_OPTION, type Context, type JsonOption } from "./context.ts";
import type { Cell } from "./table.ts";
import { formatBoth } from "./time.ts";

interface ForOption extends JsonOption {
  for?: number;
}

/** Infinity: it does not end by itself. */
const secondsOf = ({ for: seconds }: ForOption): number | undefined =>
  seconds === Infinity ? undefined : seconds;

export function setCommand(context: Context): Command {
  const { ask, output, now } = context;
  const check = checksOf("jail set", output.note);
  return new Command("set")
    .description("set an option of a jail in place of what coordinator.yaml says")
    .argument("<jail>", "its name", check.jail)
    .argument("<option>", "as coordinator.yaml has it: maxretry, bantime.increment")
    .argument("<value>", 'as coordinator.yaml has it: 8, 2h, "[143, 993]"')
    .option("--for <duration>", "it ends after so long: 2h (default: jail unset)", check.seconds)
    .option(...JSON_OPTION)
    .addHelpText("after", SET_HELP)
    .action(async (jail: string, option: string, value: string, options: ForOption) => {
      const reply = await ask("jail.set", { jail, option, value, seconds: secondsOf(options) });
      if (options.json) {
        output.json(reply);
        return;
      }
      for (const each of reply.row?.settings ?? []) {
        if (each.setting.option === option) output.line(`${jail}: ${describe(each, now())}`);
      }
      noteWhoDecides(context, reply);
    });
}

export function unsetCommand(context: Context): Command {
  const { ask, output } = context;
  const check = checksOf("jail unset", output.note);
  return new Command("unset")
    .description("take back what was set of a jail: coordinator.yaml counts again")
    .argument("<jail>", "its name", check.jail)
    .argument("[option]", "of this option (default: of all)")
    .option(...JSON_OPTION)
    .action(async (jail: string, option: string | undefined, { json }: JsonOption) => {
      const reply = await ask("jail.unset", { jail, option });
      if (json) {
        output.json(reply);
        return;
      }
      for (const { option: name } of reply.settings) {
        output.line(`${jail}: ${name} is as coordinator.yaml says`);
      }
      noteWhoDecides(context, reply);
    });
}

export function pauseCommand(context: Context): Command {
  const { ask, output, now } = context;
  const check = checksOf("jail pause", output.note);
  return new Command("pause")
    .description("ban nobody new in a jail; bans in force stay, and failures meanwhile never count")
    .argument("<jail>", "its name", check.jail)
    .option("--for <duration>", "it ends after so long: 2h (default: jail resume)", check.seconds)
    .option("--reason <text>", "why", check.text, "by hand")
    .option(...JSON_OPTION)
    .action(async (jail: string, options: ForOption & { reason: string }) => {
      const { reason } = options;
      const reply = await ask("jail.pause", { jail, seconds: secondsOf(options), reason });
      if (options.json) output.json(reply);
      else output.line(`${jail} is ${describePause(reply, now())}: it bans nobody new`);
    });
}

export function resumeCommand(context: Context): Command {
  const { ask, output } = context;
  const check = checksOf("jail resume", output.note);
  return new Command("resume")
    .description("end the pause of a jail: failures count from now on")
    .argument("<jail>", "its name", check.jail)
    .option(...JSON_OPTION)
    .action(async (jail: string, { json }: JsonOption) => {
      const reply = await ask("jail.resume", { jail });
      if (json) output.json(reply);
      else output.line(`${jail} is no longer paused: failures count from now on`);
    });
}

/** Rows for what operators have changed of a jail; of each setting until when, and what the file says. */
export function describeChanges(row: JailRow, now: number): Cell[][] {
  const { settings = [], pause } = row;
  return [
    ...(pause ? [["", { text: describePause(row, now), color: "yellow" } as const]] : []),
    ...settings.map((each): Cell[] => {
      const text = describe(each, now);
      return ["", each.fault === undefined ? text : { text, color: "yellow" }];
    }),
  ];
}

type SetOption = NonNullable<JailRow["settings"]>[number];

/** "maxretry 8, set by operator alice until ... (in 2h); coordinator.yaml says 5". */
function describe({ setting, inFile, fault }: SetOption, now: number): string {
  const { option, value, by, until } = setting;
  const end = until === undefined ? "" : ` until ${formatBoth(until, now)}`;
  const set = `${option} ${value}, set by ${by}${end}; coordinator.yaml says ${inFile}`;
  return fault === undefined ? set : `${set}; changes nothing: ${fault}`;
}

/** "paused by operator alice since ... until ...: migration". */
function describePause({ pause }: JailRow, now: number): string {
  if (!pause) return "not paused";
  const { by, since, until, reason } = pause;
  const end = until === null ? "" : ` until ${formatBoth(until, now)}`;
  return `paused by ${by} since ${formatBoth(since, now)}${end} (${reason})`;
}

type Changed = Pick<Reply<"jail.set">, "isInUse" | "coordinator" | "decider">;

function noteWhoDecides({ output }: Context, { isInUse, coordinator, decider }: Changed): void {
  if (!isInUse) output.note("it decides as soon as all failures are counted by it");
  if (decider !== null && decider !== coordinator) {
    output.note(`${decider} decides, and applies it to the coordinator.yaml of its own machine`);
  }
}

const SET_HELP = `
What is set stands until --for is over, or until jail unset; it outlasts restarts, and every
coordinator applies it to its own coordinator.yaml. A value that the file must not have is refused,
with the same sentence. Failures that are counted stay counted.

Examples:
  fleetban jail set dovecot maxretry 8 --for 2h
  fleetban jail set dovecot bantime 1d
  fleetban jail set dovecot ports "[143, 993]" --for 30m
  fleetban jail set dovecot shadow true --for 1h
`;
