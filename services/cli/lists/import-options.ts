/** What `ban import` and `allow import` share: their options, and how they load their list. */
import { Option, type Command } from "commander";
import { UsageError } from "../arguments.ts";
import type { AskingContext } from "../confirm.ts";
import { JSON_OPTION, type Context, type JsonOption } from "../context.ts";
import { count } from "../../config/count.ts";
import { LIST_FORMATS, type ListFormat } from "./list-entry.ts";
import { visible } from "../visible.ts";
import { loadList, type LoadedList, type LoadOptions } from "./load-list.ts";

export interface ImportOptions extends JsonOption {
  format?: ListFormat;
  skipFaults?: true;
  dryRun?: true;
  yes?: true;
}

export const LIST_ARGUMENT = ["<list>", "a file, an https URL, or - for stdin"] as const;

export function addImportOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--format <format>", "of the list (default: what it looks like)").choices(
        LIST_FORMATS,
      ),
    )
    .option("--skip-faults", "leave out what is no address; without it nothing is changed")
    .option("--dry-run", "only say what would be done")
    .option("--yes", "do not ask")
    .option(...JSON_OPTION);
}

/** Loads the list, and notes what of it is passed over. Throws if no entry is left. */
export async function loadToImport(
  context: AskingContext,
  given: Pick<LoadOptions, "where" | "source" | "field">,
  { format, skipFaults }: ImportOptions,
): Promise<LoadedList> {
  const { stdin, now } = context;
  const skipsFaults = skipFaults ?? false;
  const list = await loadList({ ...given, stdin, format, skipsFaults, now: now() });
  notePassedOver(context, list);
  if (list.entries.length > 0) return list;
  const expected = "has no entry, expected an address or network in each line";
  throw new UsageError(`${given.where}: ${visible(list.name)}: ${expected}`);
}

function notePassedOver({ output }: Pick<Context, "output">, list: LoadedList): void {
  const { passedOver, faults, repeated } = list;
  if (passedOver > 0) {
    output.note(`passed over: ${count(passedOver, "entry", "entries")} that are no ban in force`);
  }
  if (faults.length > 0) {
    output.note(`passed over: ${count(faults.length, "entry", "entries")} that cannot be used`);
  }
  if (repeated > 0) output.note(`${count(repeated, "entry", "entries")} were there twice`);
}

export const LIST_HELP = `
A list has one address or network per line, with comments behind # or ;, or is
CSV with a head (address, jail, until or duration, reason), JSON (what --json
and export print, or a plain list of addresses), what "fail2ban-client banned"
prints, fail2ban's sqlite file, or what "cscli decisions list -o json" or
"-o raw" prints. The program sees which of these it is.
`;
