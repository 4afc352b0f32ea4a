/** `fleetban allow list` and `allow export`: entries for people to read, and for other programs. */
import { Command } from "commander";
import type { Allowed } from "../wire/settings.ts";
import { JSON_OPTION, type Context, type JsonOption } from "./context.ts";
import {
  addExportOptions,
  checkAggregate,
  FORMATS_HELP,
  type ExportOptions,
} from "./lists/export-options.ts";
import { writeList, type WrittenEntry } from "./lists/write-list.ts";
import { readPages } from "./pages.ts";
import { formatInstant, zoneOf } from "./time.ts";

interface FilterOptions {
  label?: string;
}

const LABEL = ["--label <text>", "entries with this label"] as const;

export function allowListCommand(context: Context): Command {
  const { output, now } = context;
  return new Command("list")
    .description("every entry of the allowlist")
    .option(...LABEL)
    .option(...JSON_OPTION)
    .action(async ({ json, label }: JsonOption & FilterOptions) => {
      const allowed = await listAllowed(context, label);
      const { length: total } = allowed;
      if (json) output.json({ allowed, total, next: null });
      else if (total > 0) output.table([headOf(now()), ...allowed.map(describeAllowed)]);
      else output.line(label === undefined ? "the allowlist is empty" : "no entry has this label");
    });
}

export function allowExportCommand(context: Context): Command {
  const { output, now } = context;
  const command = new Command("export")
    .description("entries of the allowlist, for other programs")
    .option(...LABEL);
  return addExportOptions(command, "plain, an address per line")
    .addHelpText("after", FORMATS_HELP)
    .action(async ({ format = "plain", aggregate, label }: ExportOptions & FilterOptions) => {
      const aggregates = aggregate ?? false;
      checkAggregate("allow export", format, aggregates);
      const allowed = await listAllowed(context, label);
      if (format === "json") {
        output.json({ allowed, total: allowed.length, next: null });
        return;
      }
      const written = { format, kind: "allowed", aggregates, now: now() } as const;
      await output.literals(writeList(allowed.map(entryOf), written));
    });
}

/** Every entry, or those with the label, in the order in which they were added. */
export async function listAllowed(
  { ask }: Pick<Context, "ask">,
  label?: string,
): Promise<Allowed[]> {
  const { allowed } = await readPages("allowed", Infinity, ({ after }) =>
    ask("allow.list", { after }),
  );
  return label === undefined ? allowed : allowed.filter((entry) => entry.label === label);
}

function entryOf({ address, jail, addedAt, until, by, comment, label }: Allowed): WrittenEntry {
  return {
    ...{ address, since: addedAt, until: until ?? null, by, reason: comment },
    ...(jail !== undefined && { jail }),
    ...(label !== undefined && { label }),
  };
}

const headOf = (now: number) => [
  "ADDRESS",
  "JAIL",
  "FROM",
  `ADDED (${zoneOf(now)})`,
  "UNTIL",
  "BY",
  "LABEL",
  "COMMENT",
];

function describeAllowed({ jail = "all", label = "-", ...entry }: Allowed): string[] {
  const { address, origin, addedAt, until, by, comment } = entry;
  const end = until === undefined ? "-" : formatInstant(until);
  return [address, jail, origin, formatInstant(addedAt), end, by, label, comment];
}
