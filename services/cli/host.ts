/** `fleetban host`: every agent, and how far it has come. */
import { Command } from "commander";
import type { HostRow, Reply } from "../wire/api.ts";
import { checksOf } from "./arguments.ts";
import { quarantineCommand } from "./host-quarantine.ts";
import { hostPruneCommand } from "./host-prune.ts";
import { hostShowCommand } from "./host-show.ts";
import { hostWaitCommand } from "./host-wait.ts";
import {
  colorOf,
  describeFirewall,
  describeSkew,
  describeSources,
  warningsOf,
} from "./host-words.ts";
import { compareVersions } from "./compare-versions.ts";
import type { AskingContext } from "./confirm.ts";
import { JSON_OPTION, noteStale, type Context, type JsonOption } from "./context.ts";
import { listHosts } from "./list-hosts.ts";
import type { Cell } from "./table.ts";
import { formatRelative } from "./time.ts";

export function hostCommand(context: AskingContext): Command {
  const { ask, output, now } = context;
  const command = new Command("host").description("the mail hosts and their agents");

  command
    .command("list")
    .description("every host: up or down, how many bans are in its firewall")
    .option("--outdated", "whose agent is older than the coordinator")
    .option(...JSON_OPTION)
    .action(async ({ json, outdated }: JsonOption & { outdated?: true }) => {
      const reply = await (outdated ? listOutdated(context) : listHosts(context));
      noteStale(context, reply.stale);
      if (json) {
        output.json(reply);
        return;
      }
      if (reply.hosts.length === 0) {
        output.line(outdated ? "no agent is outdated" : "no host has reported yet");
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
        output.json(reply);
        return;
      }
      output.line(`${host} is no longer listed`);
      if (reply.wasUp) output.note("it was up: if its agent goes on, it is listed again");
    });

  return command
    .addCommand(hostShowCommand(context))
    .addCommand(quarantineCommand(context))
    .addCommand(hostWaitCommand(context))
    .addCommand(hostPruneCommand(context));
}

/** Of a host that this coordinator has not heard, nobody knows the version. */
async function listOutdated(context: Context): Promise<Reply<"host.list">> {
  const { version } = await context.ask("ping.show", {});
  const reply = await listHosts(context);
  const hosts = reply.hosts.filter(
    ({ status }) => status !== null && compareVersions(status.version, version) < 0,
  );
  return { ...reply, hosts, total: hosts.length };
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
  const known = row.awaited ? "not heard yet" : state;
  const shown: Cell = row.quarantine
    ? { text: `${known}, quarantined`, color: "yellow" }
    : { text: known, color: colorOf(row) };
  const heard = row.awaited ? "-" : formatRelative(lastSeenAt, now);
  if (status === null) return [host, shown, heard, "-", "-", "-", "-", "-", "-"];
  const behind: Cell = state === "up" ? { text: "no", color: "yellow" } : "-";
  const isCurrent: Cell = current ? "yes" : behind;
  const bans = String(status.bansInForce);
  const clock = describeSkew(clockSkew);
  const firewall = describeFirewall(status);
  const reading = describeSources(status.sources);
  return [host, shown, heard, firewall, bans, isCurrent, reading, clock, status.version];
}
