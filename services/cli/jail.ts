/** `fleetban jail`: the rules by which the coordinator bans. */
import { Command } from "commander";
import { formatDuration } from "../config/duration.ts";
import { EXIT, SilentExit } from "../process/exit.ts";
import type { JailRow, Reply } from "../wire/api.ts";
import { checksOf } from "./arguments.ts";
import {
  describeChanges,
  pauseCommand,
  resumeCommand,
  setCommand,
  unsetCommand,
} from "./jail-change.ts";
import { JSON_OPTION, type Context, type JsonOption } from "./context.ts";
import { listJails } from "./list-jails.ts";
import { count } from "../config/count.ts";
import type { Cell } from "./table.ts";

export function jailCommand(context: Context): Command {
  const { ask, output, now } = context;
  const command = new Command("jail").description("the rules by which the coordinator bans");

  command
    .command("list")
    .description("every jail that is in use, with its options in sentences")
    .option(...JSON_OPTION)
    .action(async ({ json }: JsonOption) => {
      const reply = await listJails(context);
      if (json) output.json(reply);
      else {
        output.facts(reply.jails.flatMap((row) => describeJail(row, now())));
        if (reply.policyVersion) output.note(`policy version ${reply.policyVersion}`);
      }
    });

  command
    .command("show")
    .description("one jail: its numbers, its options in sentences, its bans")
    .argument("<jail>", "its name", checksOf("jail show", output.note).jail)
    .option(...JSON_OPTION)
    .action(async (jail: string, { json }: JsonOption) => {
      const reply = await ask("jail.show", { jail });
      if (json) output.json(reply);
      else output.facts(describeOne(reply, now()));
    });

  command.addCommand(setCommand(context));
  command.addCommand(unsetCommand(context));
  command.addCommand(pauseCommand(context));
  command.addCommand(resumeCommand(context));

  command
    .command("reload")
    .description("read coordinator.yaml again: jails, allowlist, guard and dbpurgeage")
    .option(...JSON_OPTION)
    .addHelpText("after", RELOAD_HELP)
    .action(async ({ json }: JsonOption) => {
      const reply = await ask("jail.reload", {});
      if (json) output.json(reply);
      else describeReload(context, reply);
      if (reply.faultCount > 0) throw new SilentExit(EXIT.config);
    });

  return command;
}

function describeReload({ output }: Context, reply: Reply<"jail.reload">): void {
  const { coordinator, decider, faults, faultCount, changes, changeCount, needRestart } = reply;
  if (faultCount > 0) {
    output.note(`${coordinator} refuses its coordinator.yaml, and goes on with the old policy:`);
    for (const fault of faults) output.note(`  ${fault}`);
    if (faultCount > faults.length) output.note(`  and ${faultCount - faults.length} more`);
    return;
  }
  for (const change of changes) output.line(change);
  if (changeCount > changes.length) output.line(`and ${changeCount - changes.length} more changes`);
  const inUse = reply.isInUse ? "is in use" : "is in use as soon as all failures are counted by it";
  const policy = changeCount === 0 ? "no jail is changed" : `the new policy ${inUse}`;
  output.line(`${coordinator}: ${policy}`);
  if (needRestart.length > 0) {
    output.note(`changed, and counts after a restart of ${coordinator}: ${needRestart.join(", ")}`);
  }
  if (decider !== null && decider !== coordinator) {
    output.note(`${decider} decides, and reads the coordinator.yaml of its own machine again`);
  }
}

const RELOAD_HELP = `
Failures that are counted stay counted. A file with a fault is refused as a whole: all its faults
are printed, the policy in use stays, and the command ends with 78. Every coordinator reads the
file of its own machine: change it on each of them first.
`;

function describeJail(row: JailRow, now: number): Cell[][] {
  const { jail, sentences } = row;
  const [first = "", ...others] = sentences;
  const name: Cell = { text: jail.name, color: "bold" };
  return [
    [name, first],
    ...others.map((sentence): Cell[] => ["", sentence]),
    ...describeChanges(row, now),
  ];
}

function describeOne(reply: Reply<"jail.show">, now: number): Cell[][] {
  const { jail, bans, coordinator, policyVersion } = reply;
  const { maxretry, findtime, bantime, ports } = jail;
  const held = bans.held > 0 ? `, ${bans.held} held` : "";
  return [
    ...describeJail(reply, now),
    ["maxretry", String(maxretry)],
    ["findtime", formatDuration(findtime)],
    ["bantime", formatDuration(bantime)],
    ["ports", ports.length === 0 ? "all" : ports.join(", ")],
    ["bans", `${count(bans.inForce, "ban")} in force${held}`],
    ...(policyVersion === undefined ? [] : [["policy version", policyVersion]]),
    ["answered by", coordinator],
  ];
}
