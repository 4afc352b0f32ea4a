/** `fleetban audit list`: the actions of operators, newest first. */
import { Command } from "commander";
import type { AuditRow } from "../wire/api.ts";
import { checkPeriod, checksOf } from "./arguments.ts";
import { JSON_OPTION, noteStale, type Context, type JsonOption } from "./context.ts";
import { readPages } from "./pages.ts";
import { formatInstant, zoneOf } from "./time.ts";

interface ListOptions extends JsonOption {
  by?: string;
  since?: number;
  until?: number;
  all?: boolean;
  limit: number;
}

export function auditCommand(context: Context): Command {
  const { ask, output, now } = context;
  const check = checksOf("audit list", output.note);
  const command = new Command("audit").description("who has done what, when");
  command
    .command("list")
    .description("what operators have done to bans, the allowlist, jails and hosts; newest first")
    .option("--by <name>", "by this operator; decider or config", check.text)
    .option("--since <when>", "from then on: 1h (ago), or 2026-11-24T12:00", check.instant)
    .option("--until <when>", "up to then", check.instant)
    .option("--all", "also what coordinators have decided by themselves")
    .option("--limit <number>", "at most so many", check.limit, 100)
    .option(...JSON_OPTION)
    .addHelpText("after", EXAMPLES)
    .action(async ({ json, limit, all = false, ...query }: ListOptions) => {
      const { by } = query;
      checkPeriod("audit list", query);
      const wanted = { ...query, all: all || by === "decider" };
      const reply = await readPages("audit", limit, (page) =>
        ask("audit.list", { ...wanted, ...page }),
      );
      const { audit, next, stale } = reply;
      noteStale(context, stale);
      if (json) {
        output.json(reply);
        return;
      }
      if (audit.length === 0) output.line("nothing on record");
      else output.table([headOf(now()), ...audit.map(describe)]);
      if (next !== null) output.note(`there is more than these ${limit}: --limit shows more`);
    });
  return command;
}

const headOf = (now: number) => [`TIME (${zoneOf(now)})`, "BY", "ACTION", "WHAT"];

const describe = ({ at, by, action, detail }: AuditRow) => [formatInstant(at), by, action, detail];

const EXAMPLES = `
Examples:
  fleetban audit list --since 1d
  fleetban audit list --by alice
  fleetban audit list --all --since 10m --json
`;
