/** `fleetban host prune`: no longer list hosts that have been silent for long. */
import { Command, Option } from "commander";
import { formatDuration } from "../config/duration.ts";
import { isDown } from "../wire/host-state.ts";
import type { HostRow } from "../wire/api.ts";
import { checksOf } from "./arguments.ts";
import { confirm, type AskingContext } from "./confirm.ts";
import { JSON_OPTION, noteStale, type JsonOption } from "./context.ts";
import { listHosts } from "./list-hosts.ts";
import { count } from "../config/count.ts";
import { formatRelative } from "./time.ts";

interface PruneOptions extends JsonOption {
  silentFor: number;
  dryRun?: true;
  yes?: true;
}

const WHERE = "host prune";
const WEEK = 7 * 86_400;

export function hostPruneCommand(context: AskingContext): Command {
  const { ask, output, now } = context;
  const check = checksOf(WHERE, output.note);
  return new Command("prune")
    .description("no longer list hosts that have been silent for long")
    .addOption(
      new Option("--silent-for <duration>", "at least so long")
        .argParser(check.length)
        .default(WEEK, "7d"),
    )
    .option("--dry-run", "only say which hosts these are")
    .option("--yes", "do not ask")
    .option(...JSON_OPTION)
    .action(async ({ silentFor, dryRun, yes, json }: PruneOptions) => {
      const reply = await listHosts(context);
      noteStale(context, reply.stale);
      const hosts = reply.hosts.filter((row) => isSilent(row, silentFor, now()));
      if (json) output.json({ ...reply, hosts, total: hosts.length });
      else if (hosts.length === 0) {
        output.line(`no host has been silent for ${formatDuration(silentFor)}`);
      } else output.facts(hosts.map((row) => describe(row, now())));
      if (dryRun || hosts.length === 0) return;
      if (!yes)
        await confirm(context, WHERE, `${count(hosts.length, "host")} would no longer be listed`);
      for (const { host } of hosts) await ask("host.remove", { host });
      if (!json) output.line(`${count(hosts.length, "host")} no longer listed`);
    });
}

const isSilent = (row: HostRow, seconds: number, now: number): boolean =>
  isDown(row) && now - row.lastSeenAt >= seconds * 1000;

const describe = ({ host, lastSeenAt }: HostRow, now: number) => [
  host,
  `last heard ${formatRelative(lastSeenAt, now)}`,
];
