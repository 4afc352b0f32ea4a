/** `fleetban ban list` and `ban export`: bans for people to read, and for other programs. */
import { Command, Option } from "commander";
import type { Address } from "../wire/address.ts";
import type { Reply, Request } from "../wire/api.ts";
import { isInForce, type Ban } from "../wire/ban.ts";
import { checkPeriod, checksOf, UsageError } from "./arguments.ts";
import { BAN_HEAD, describeBan } from "./ban-words.ts";
import { JSON_OPTION, noteStale, type Context, type JsonOption } from "./context.ts";
import {
  addExportOptions,
  checkAggregate,
  FORMATS_HELP,
  type ExportOptions,
} from "./lists/export-options.ts";
import { writeList, type WrittenEntry, type WrittenFormat } from "./lists/write-list.ts";
import { readPages } from "./pages.ts";

interface FilterOptions {
  jail?: string;
  address?: Address;
  network?: Address;
  by?: string;
  policyVersion?: string;
  reason?: string;
  since?: number;
  until?: number;
  endingWithin?: number;
}

interface ListOptions extends FilterOptions, JsonOption, ExportOptions {
  all?: boolean;
  held?: true;
  count?: true;
  limit?: number;
}

type Check = ReturnType<typeof checksOf>;

function addFilter(command: Command, check: Check): Command {
  return command
    .option("--jail <jail>", "of this jail", check.jail)
    .option("--address <address>", "that have an address in common with this", check.address)
    .option("--network <network>", "within this network", check.address)
    .option("--by <name>", "that this operator has made; decider: automatic ones", check.text)
    .option("--policy-version <version>", "that it has decided", check.policyVersion)
    .option("--reason <text>", "with this text in the reason", check.text)
    .addOption(
      new Option("--since <when>", "made or changed then or later: 1h, 2026-11-24T12:00").argParser(
        check.instant,
      ),
    )
    .addOption(
      new Option("--until <when>", "made or changed then or before").argParser(check.instant),
    )
    .option("--ending-within <duration>", "in force, and over within so long", check.length);
}

export function banListCommand(context: Context): Command {
  const check = checksOf("ban list", context.output.note);
  const command = new Command("list")
    .description("bans in force")
    .option("--all", "also bans that have ended, from the history")
    .option("--held", "bans that a guard has held: in force nowhere, or not on every host")
    .option("--count", "only say how many there are")
    .option("--limit <number>", "at most so many (default: all)", check.limit);
  return addExportOptions(addFilter(command, check), "a table for people")
    .option(...JSON_OPTION)
    .addHelpText("after", FORMATS_HELP)
    .action((options: ListOptions) => list(context, "ban list", options));
}

export function banExportCommand(context: Context): Command {
  const check = checksOf("ban export", context.output.note);
  const command = new Command("export").description("bans in force, for other programs");
  return addExportOptions(addFilter(command, check), "plain, an address per line")
    .addHelpText("after", FORMATS_HELP + EXPORT_EXAMPLES)
    .action(({ format = "plain", ...options }: ListOptions) =>
      list(context, "ban export", { ...options, format }),
    );
}

async function list(context: Context, where: string, options: ListOptions): Promise<void> {
  const { output, now } = context;
  const { json, format, aggregate = false, count } = options;
  checkOptions(where, options);
  if (count) {
    output.line(String(await countBans(context, options)));
    return;
  }
  const { limit = Infinity } = options;
  const reply = await readBans(context, options, limit);
  const { bans, next } = reply;
  noteStale(context, reply.stale);
  if (json || format === "json") output.json(reply);
  else if (format !== undefined) await writeBans(context, { bans, format, aggregates: aggregate });
  else if (bans.length === 0) output.line(noBans(options));
  else output.table([BAN_HEAD, ...bans.map((ban) => describeBan(ban, now()))]);
  if (next !== null) output.note(`there are more than these ${bans.length}: see --limit`);
}

function checkOptions(where: string, options: ListOptions): void {
  const { all, held, count, json, format, aggregate = false } = options;
  checkPeriod(where, options);
  if (all && held) throw new UsageError(`${where}: --held: expected it without --all`);
  if (count && (json || format)) {
    throw new UsageError(`${where}: --count: expected it without --json and --format`);
  }
  if (json && format) throw new UsageError(`${where}: --json: expected it without --format`);
  if (aggregate && !format)
    throw new UsageError(`${where}: --aggregate: expected --format beside it`);
  if (format) checkAggregate(where, format, aggregate);
}

/** The request without its page. */
function queryOf(options: ListOptions): Omit<Request<"ban.list">, "limit" | "after"> {
  const { jail, address, network, by, policyVersion, reason } = options;
  const { since, until, endingWithin, all = false, held } = options;
  const narrowed = { within: network, by, policyVersion, reason, since, until, endingWithin };
  return { jail, address, all, held, ...narrowed };
}

/** Bans that are asked for, from all pages of the coordinator's answer. */
async function readBans(
  { ask }: Pick<Context, "ask">,
  options: ListOptions,
  limit: number,
): Promise<Reply<"ban.list">> {
  const query = queryOf(options);
  const reply = await readPages("bans", limit, (page) => ask("ban.list", { ...query, ...page }));
  // Nobody counts what the history holds.
  return options.all ? { ...reply, total: reply.bans.length } : reply;
}

async function countBans(context: Context, options: ListOptions): Promise<number> {
  const { total, stale } = await readBans(context, options, options.all ? Infinity : 1);
  noteStale(context, stale);
  return total;
}

interface Written {
  bans: readonly Ban[];
  format: Exclude<WrittenFormat, "json">;
  aggregates: boolean;
}

/** Only bans in force are for other programs. */
async function writeBans(
  { output, now }: Context,
  { bans, format, aggregates }: Written,
): Promise<void> {
  const entries = bans.filter((ban) => isInForce(ban, now())).map(entryOf);
  const lines = writeList(entries, { format, kind: "bans", aggregates, now: now() });
  for (let from = 0; from < lines.length; from += LINES) {
    await output.literals(lines.slice(from, from + LINES));
  }
}

/** Lines that are written at once. */
const LINES = 1_000;

const entryOf = ({ address, jail, startsAt, until, by, reason }: Ban): WrittenEntry => ({
  ...{ address, jail, since: startsAt, until, by, reason },
});

function noBans({ all, held }: ListOptions): string {
  if (all) return "no bans on record";
  return held ? "no ban is held" : "nobody is banned";
}

const EXPORT_EXAMPLES = `
Examples:
  fleetban ban export --format nginx --aggregate > /etc/nginx/banned.conf
  fleetban ban export --format csv --since 1d > bans.csv
  fleetban ban export --format json --jail dovecot > bans.json
`;
