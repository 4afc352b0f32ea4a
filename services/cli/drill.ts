/** `fleetban drill HOST`: does a failed login on this host still become a ban on every host? */
import { Command } from "commander";
import { EXIT, SilentExit } from "../process/exit.ts";
import type { DrillStep, Reply } from "../wire/api.ts";
import { checksOf } from "./arguments.ts";
import { JSON_OPTION, type Context, type JsonOption } from "./context.ts";
import type { Cell } from "./table.ts";

interface DrillOptions extends JsonOption {
  jail?: string;
  wait: number;
}

export function drillCommand(context: Context): Command {
  const { ask, output } = context;
  const check = checksOf("drill", output.note);
  return new Command("drill")
    .description("let a failed login go through a host's log, and show how far and how fast")
    .argument("<host>", "its name", check.host)
    .option("--jail <jail>", "of this jail (default: that of the host's first source)", check.jail)
    .option("--wait <duration>", "at most so long (default: 45s)", check.wait)
    .option(...JSON_OPTION)
    .addHelpText("after", HELP)
    .action(async (host: string, { json, jail, wait = 45_000 }: Partial<DrillOptions>) => {
      output.transient(`a login that must fail goes through the log of ${host} ...`);
      const reply = await ask("host.drill", { host, jail, wait });
      output.transient(undefined);
      if (json) output.json(reply);
      else describe(context, reply);
      if (reply.reason !== null) throw new SilentExit(EXIT.refused);
    });
}

function describe({ output }: Context, reply: Reply<"host.drill">): void {
  const { host, jail, user, address, steps, reason } = reply;
  output.line(`drill on ${host}, jail ${jail}: user ${user}, address ${address}`);
  if (steps.length > 0) output.facts(steps.map(describeStep));
  if (reason !== null) output.note(`the drill ends here: ${reason}`);
}

function describeStep({ step, ms, text }: DrillStep): Cell[] {
  const time = ms === null ? "-" : ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(2)} s`;
  return [{ text: step, color: "green" }, time, text];
}

const HELP = `
The agent of the host logs in at its own mail server with a user that nobody has, and a random
password. Dovecot's line about it counts as maxretry failures of a reserved address (240.0.0.0/8),
which is banned on every host and unbanned at once. Where no mail server listens on the host, the
agent appends a line to the log. Nobody is notified. Exit code 1: it did not come to the end.

Times are since the command. Dovecot answers a wrong password after some two seconds, and with
auth_verbose = no it writes no line before the connection ends.

Examples:
  fleetban drill mx1
  fleetban drill mx1 --jail dovecot --json
`;
