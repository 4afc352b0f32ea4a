/** `fleetban host quarantine`: failures that a host reports no longer count. */
import { Command } from "commander";
import type { Reply } from "../wire/api.ts";
import { checksOf } from "./arguments.ts";
import { JSON_OPTION, type Context, type JsonOption } from "./context.ts";
import { count } from "../config/count.ts";
import { formatBoth } from "./time.ts";

interface QuarantineOptions extends JsonOption {
  undo?: boolean;
  reason: string;
}

export function quarantineCommand(context: Context): Command {
  const { ask, output, now } = context;
  const check = checksOf("host quarantine", output.note);
  return new Command("quarantine")
    .description("no longer count what a host reports, until --undo")
    .argument("<host>", "its name", check.host)
    .option("--undo", "count what it reports from now on")
    .option("--reason <text>", "why", check.text, "by hand")
    .option(...JSON_OPTION)
    .addHelpText("after", EXAMPLES)
    .action(async (host: string, { json, undo = false, reason }: QuarantineOptions) => {
      const reply = await ask("host.quarantine", { host, undo, reason });
      if (json) output.json(reply);
      else if (undo)
        output.line(`${host} is no longer in quarantine: its failures count from now on`);
      else {
        const already = reply.changed ? "" : "already ";
        const since = formatBoth(reply.quarantine.since, now());
        output.line(`${host} is ${already}in quarantine since ${since}: its failures do not count`);
      }
      if (!undo) offerToUndo(context, reply);
    });
}

/** Bans that the host alone has caused stay until somebody lifts them. */
function offerToUndo({ output }: Context, { host, alone }: Reply<"host.quarantine">): void {
  if (alone.inForce > 0) {
    const caused = `it alone has caused ${count(alone.inForce, "ban")} in force`;
    output.note(`${caused}: fleetban ban remove --caused-by ${host} --alone lifts them`);
  }
  if (alone.held > 0) {
    const caused = `it alone has caused ${count(alone.held, "ban")} that are held`;
    output.note(`${caused}: fleetban ban discard --caused-by ${host} --alone drops them`);
  }
}

const EXAMPLES = `
Examples:
  fleetban host quarantine mx1 --reason "broken into"
  fleetban ban remove --caused-by mx1 --since 1d --dry-run
  fleetban host quarantine mx1 --undo
`;
