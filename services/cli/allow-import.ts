/** `fleetban allow import LIST`: puts many addresses on the allowlist; what is there is left as it is. */
import { Command } from "commander";
import type { Request } from "../wire/api.ts";
import type { AllowImportReply, AllowImportRow } from "../wire/list-import.ts";
import { allowableField } from "../wire/request-fields.ts";
import { checksOf } from "./arguments.ts";
import type { AskingContext } from "./confirm.ts";
import { checkJails } from "./lists/check-jails.ts";
import type { ListEntry } from "./lists/list-entry.ts";
import {
  addImportOptions,
  LIST_ARGUMENT,
  LIST_HELP,
  loadToImport,
  type ImportOptions,
} from "./lists/import-options.ts";
import { describeSize } from "./lists/load-list.ts";
import { runImport } from "./lists/run-import.ts";
import { partsOf, sendParts, sumLifted, sumOf } from "./lists/send-list.ts";
import { count } from "../config/count.ts";

const WHERE = "allow import";
/** Entries of one request; with the longest texts they fit into one message. */
const ROWS = 250;

interface AllowImportOptions extends ImportOptions {
  for?: number;
  comment?: string;
  label?: string;
  jail?: string;
}

type Part = Request<"allow.import">;

export function allowImportCommand(context: AskingContext): Command {
  const check = checksOf(WHERE, context.output.note);
  const command = new Command("import")
    .description("never ban the addresses and networks of a list; lifts their bans")
    .argument(...LIST_ARGUMENT)
    .option("--comment <text>", "whose they are, of entries that do not say", check.text)
    .option("--jail <jail>", "in this jail alone (default: in every one)", check.jail)
    .option("--label <text>", "a word to find the entries by", check.text)
    .option(
      "--for <duration>",
      "entries without an end of their own (default: always)",
      check.seconds,
    );
  return addImportOptions(command)
    .addHelpText("after", LIST_HELP + EXAMPLES)
    .action((source: string, options: AllowImportOptions) =>
      importAllowed(context, source, options),
    );
}

async function importAllowed(
  context: AskingContext,
  source: string,
  options: AllowImportOptions,
): Promise<void> {
  const { output } = context;
  const { json } = options;
  const list = await loadToImport(
    context,
    { where: WHERE, source, field: allowableField },
    options,
  );
  const rows = list.entries.map((entry) => rowOf(entry, options));
  await checkJails(
    context,
    WHERE,
    rows.flatMap(({ jail }) => jail ?? []),
  );
  const parts = partsOf(rows, ROWS).map((part): Part => {
    return { comment: options.comment ?? "", dryRun: true, rows: part };
  });
  const reply = await runImport(context, options, {
    where: WHERE,
    send: (dryRun) => send(context, parts, dryRun),
    describePreview: (preview) =>
      `${describeSize(list.entries)}: ${describe(preview, "would be added")}`,
    question: ({ added }) => `${count(added, "entry", "entries")} would be added to the allowlist`,
    printJson: (result) => output.json(result),
  });
  if (!reply || json) return;
  output.line(describe(reply, "added to the allowlist"));
  if (reply.liftedCount > 0) output.line(`${count(reply.liftedCount, "ban")} lifted`);
  if (reply.pending > 0) {
    output.note(`${reply.pending} bans are still being lifted; no host enforces them any more`);
  }
}

function rowOf(
  { address, seconds, until, reason, ...entry }: ListEntry,
  options: AllowImportOptions,
): AllowImportRow {
  const usual = options.for === Infinity ? undefined : options.for;
  const { jail = entry.jail, label = entry.label } = options;
  const length = seconds === undefined ? usual : seconds;
  return {
    address,
    ...(jail !== undefined && { jail }),
    ...(until !== undefined ? { until } : length !== undefined && { seconds: length }),
    ...(reason !== undefined && { comment: reason }),
    ...(label !== undefined && { label }),
  };
}

async function send(
  context: AskingContext,
  parts: readonly Part[],
  dryRun: boolean,
): Promise<AllowImportReply> {
  const replies = await sendParts(context, parts, (part) =>
    context.ask("allow.import", { ...part, dryRun }),
  );
  return { ...sumOf(replies), ...sumLifted(replies) };
}

function describe({ added, kept, refusedCount }: AllowImportReply, done: string): string {
  const already = kept === 0 ? "" : `, ${kept} ${kept === 1 ? "was" : "were"} there already`;
  const refused = refusedCount === 0 ? "" : `, ${refusedCount} left out`;
  return `${added} ${done}${already}${refused}`;
}

const EXAMPLES = `
Examples:
  fleetban allow import offices.txt --label office
  fleetban allow import https://lists.example.org/office.json --for 30d --yes
`;
