/** `fleetban ban import LIST`: bans many addresses; what is banned already is left as it is. */
import { Command, Option } from "commander";
import { EXIT, SilentExit } from "../process/exit.ts";
import type { Request } from "../wire/api.ts";
import type { BanImportReply, BanImportRow } from "../wire/list-import.ts";
import { bannableField } from "../wire/request-fields.ts";
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
import { describeSize, type LoadedList } from "./lists/load-list.ts";
import { runImport } from "./lists/run-import.ts";
import { partsOf, sendParts, sumOf } from "./lists/send-list.ts";
import { reportReach } from "./reach.ts";
import { count } from "../config/count.ts";

const WHERE = "ban import";
/**
 * Entries of one request. Four requests are under way, and a busy coordinator that writes 50 bans a
 * second answers all of them in time.
 */
const ROWS = 125;
/** Of entries that name no jail. */
const USUAL_JAIL = "dovecot";

interface BanImportOptions extends ImportOptions {
  jail?: string;
  for?: number;
  reason?: string;
  replace?: true;
  wait?: number;
}

type Part = Request<"ban.import">;

export function banImportCommand(context: AskingContext): Command {
  const check = checksOf(WHERE, context.output.note);
  const command = new Command("import")
    .description("ban every address and network of a list")
    .argument(...LIST_ARGUMENT)
    .option(
      "--jail <jail>",
      `in this jail (default: the one that the list names, or ${USUAL_JAIL})`,
      check.jail,
    )
    .option(
      "--for <duration>",
      "entries without an end of their own; -1: for ever (default: the jail's)",
      check.seconds,
    )
    .option("--reason <text>", "why, of entries that do not say (default: the list)", check.text)
    .option("--replace", "also when the present ban lasts longer")
    .addOption(
      new Option("--wait [duration]", "until every live host reports them, else exit 69")
        .preset("30s")
        .argParser(check.wait),
    );
  return addImportOptions(command)
    .addHelpText("after", LIST_HELP + EXAMPLES)
    .action((source: string, options: BanImportOptions) => importBans(context, source, options));
}

async function importBans(
  context: AskingContext,
  source: string,
  options: BanImportOptions,
): Promise<void> {
  const { output } = context;
  const { json } = options;
  const list = await loadToImport(context, { where: WHERE, source, field: bannableField }, options);
  const parts = await partsOfList(context, list, options);
  const reply = await runImport(context, options, {
    where: WHERE,
    send: (dryRun) => send(context, parts, { dryRun, wait: dryRun ? undefined : options.wait }),
    describePreview: (preview) =>
      `${describeSize(list.entries)}: ${describe(preview, "would be banned")}`,
    question: ({ added }) => `${count(added, "ban")} would be made`,
    printJson: (result) => output.json(result),
  });
  if (!reply) return;
  if (!json) output.line(describe(reply, "banned"));
  if (reply.reach) reportReach(context, WHERE, { reach: reply.reach, change: "in force", json });
  else if (reply.added + reply.kept === 0) throw new SilentExit(EXIT.refused);
}

/** Throws, before anything is changed, where the list names a jail that is not there. */
async function partsOfList(
  context: AskingContext,
  { name, entries }: LoadedList,
  options: BanImportOptions,
): Promise<Part[]> {
  const reason = (options.reason ?? `imported from ${name}`).slice(0, 256);
  const byJail = new Map<string, ListEntry[]>();
  for (const entry of entries) {
    const jail = options.jail ?? entry.jail ?? USUAL_JAIL;
    const group = byJail.get(jail);
    if (group) group.push(entry);
    else byJail.set(jail, [entry]);
  }
  await checkJails(context, WHERE, byJail.keys());
  const common = { reason, replace: options.replace ?? false, dryRun: true, wait: null };
  return [...byJail].flatMap(([jail, group]) => {
    const rows = group.map((entry) => rowOf(entry, options));
    return partsOf(rows, ROWS).map((part) => ({ ...common, jail, rows: part }));
  });
}

function rowOf(
  { address, seconds, until, reason }: ListEntry,
  options: BanImportOptions,
): BanImportRow {
  const usual = options.for === Infinity ? null : options.for;
  const length =
    until !== undefined ? { until } : lengthOf(seconds === undefined ? usual : seconds);
  return { address, ...length, ...(reason !== undefined && { reason }) };
}

const lengthOf = (seconds: number | null | undefined) => (seconds === undefined ? {} : { seconds });

/** Sends all parts; then, where somebody waits, asks how far the last of the bans has come. */
async function send(
  context: AskingContext,
  parts: readonly Part[],
  { dryRun, wait }: { dryRun: boolean; wait: number | undefined },
): Promise<BanImportReply> {
  const ask = (part: Part) => context.ask("ban.import", part);
  const replies = await sendParts(context, parts, (part) => ask({ ...part, dryRun }));
  const [first] = parts;
  const revision = Math.max(0, ...replies.map((reply) => reply.revision));
  const last =
    wait !== undefined && first && (await ask({ ...first, rows: [], dryRun, wait, revision }));
  const divided = replies.reduce((sum, reply) => sum + reply.divided, 0);
  return { ...sumOf(replies), divided, revision, reach: last ? last.reach : null };
}

function describe({ added, kept, refusedCount, divided }: BanImportReply, done: string): string {
  const already = kept === 0 ? "" : `, ${kept} ${kept === 1 ? "was" : "were"} banned already`;
  const refused = refusedCount === 0 ? "" : `, ${refusedCount} left out`;
  const parts =
    divided === 0 ? "" : `; ${count(divided, "network")} without addresses that are never banned`;
  return `${added} ${done}${already}${refused}${parts}`;
}

const EXAMPLES = `
A ban that is in force and ends later, or nearly as late, stays as it is: an
import that was interrupted goes on when the same command is given again. Of a
network that holds addresses of the allowlist or of the fleet's own machines,
the rest is banned.

Examples:
  fleetban ban import drop.txt --for 7d --reason "Spamhaus DROP"
  fleetban ban import https://lists.example.org/drop.txt --for 2d --yes
  cscli decisions list -o json | fleetban ban import - --jail dovecot --yes
  fleetban ban import /var/lib/fail2ban/fail2ban.sqlite3 --dry-run
`;
