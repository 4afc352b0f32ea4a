/** `fleetban ban list|show|add|remove`. */
import { Command, Option } from "commander";
import type { Address } from "../wire/address.ts";
import type { Reply } from "../wire/api.ts";
import type { Ban } from "../wire/ban.ts";
import { checksOf, UsageError } from "./arguments.ts";
import { discardCommand, releaseCommand } from "./ban-held.ts";
import { describeBan, BAN_HEAD, formatState } from "./ban-words.ts";
import { showCommand } from "./ban-show.ts";
import { whyCommand } from "./ban-why.ts";
import { JSON_OPTION, noteStale, type Context, type JsonOption } from "./context.ts";
import {
  addSelection,
  changeManyBans,
  isSelecting,
  selectionOf,
  type AskingContext,
  type SelectionOptions,
} from "./many-bans.ts";
import { readPages } from "./pages.ts";
import { reportReach } from "./reach.ts";
import { formatBoth, formatEnd } from "./time.ts";

export function banCommand(context: AskingContext): Command {
  const command = new Command("ban").description("who is banned, since when, why and where");
  command.addCommand(listCommand(context));
  command.addCommand(showCommand(context));
  command.addCommand(whyCommand(context));
  command.addCommand(addCommand(context));
  command.addCommand(removeCommand(context));
  command.addCommand(releaseCommand(context));
  command.addCommand(discardCommand(context));
  return command;
}

interface ListOptions extends JsonOption {
  jail?: string;
  address?: Address;
  all?: boolean;
  held?: true;
  limit?: number;
}

function listCommand(context: Context): Command {
  const { ask, output, now } = context;
  const check = checksOf("ban list", output.note);
  return new Command("list")
    .description("bans in force")
    .option("--jail <jail>", "of this jail", check.jail)
    .option("--address <address>", "that have an address in common with this", check.address)
    .option("--all", "also bans that have ended, from the history")
    .option("--held", "bans that a guard has held: in force nowhere, or not on every host")
    .option("--limit <number>", "at most so many (default: all)", check.limit)
    .option(...JSON_OPTION)
    .action(async ({ json, jail, address, all = false, held, limit = Infinity }: ListOptions) => {
      if (all && held) throw new UsageError("ban list: --held: expected it without --all");
      let rest: Pick<Reply<"ban.list">, "total" | "stale"> = { total: 0, stale: null };
      const { rows, next } = await readPages(limit, async (page) => {
        const { bans, next, ...others } = await ask("ban.list", {
          jail,
          address,
          all,
          held,
          ...page,
        });
        rest = others;
        return { rows: bans, next };
      });
      noteStale(context, rest.stale);
      if (json) {
        // Nobody counts what the history holds.
        const total = all ? rows.length : rest.total;
        output.json("ban.list", { ...rest, total, bans: rows, next });
        return;
      }
      if (rows.length === 0) output.line(noBans(all, held));
      else output.table([BAN_HEAD, ...rows.map((ban) => describeBan(ban, now()))]);
      if (next !== null) output.note(`there are more than these ${rows.length}: see --limit`);
    });
}

function noBans(all: boolean, held: true | undefined): string {
  if (all) return "no bans on record";
  return held ? "no ban is held" : "nobody is banned";
}

interface AddOptions extends JsonOption {
  jail: string;
  for?: number;
  reason: string;
  replace?: boolean;
  wait?: number;
}

function addCommand(context: Context): Command {
  const { ask, output, now } = context;
  const check = checksOf("ban add", output.note);
  return new Command("add")
    .description("ban an address or a network on every host")
    .argument(
      "<address>",
      "address or network; at widest /8 for IPv4, /32 for IPv6",
      check.bannable,
    )
    .option("--jail <jail>", "whose ports are closed to it", check.jail, "dovecot")
    .option("--for <duration>", "20m, 1d 12h; -1: for ever (default: the jail's)", check.seconds)
    .option("--reason <text>", "why", check.text, "by hand")
    .option("--replace", "also when the present ban lasts longer")
    .addOption(waitOption(check.wait))
    .option(...JSON_OPTION)
    .addHelpText("after", ADD_EXAMPLES)
    .action(async (address: Address, options: AddOptions) => {
      const { json, jail, reason, replace = false, wait = null } = options;
      const seconds = options.for === Infinity ? null : options.for;
      const reply = await ask("ban.add", { address, jail, seconds, reason, replace, wait });
      if (json) output.json("ban.add", reply);
      else {
        const already = reply.changed ? "" : "already ";
        const end = formatEnd(reply.ban.until, now());
        output.line(`${address} is ${already}banned in ${reply.ban.jail} ${end}`);
      }
      if (!reply.changed) output.note("it lasts as long or longer; --replace sets another end");
      if (!reply.reach) return;
      reportReach(context, "ban add", { reach: reply.reach, change: "in force", json });
    });
}

interface RemoveOptions extends SelectionOptions {
  immunity?: number;
  reason: string;
  wait?: number;
}

function removeCommand(context: AskingContext): Command {
  const { ask, output, now } = context;
  const check = checksOf("ban remove", output.note);
  const describe = (ban: Ban): string => {
    const { immuneUntil } = ban;
    const isImmune = immuneUntil !== null && immuneUntil > now();
    const failures = isImmune
      ? `; its failures do not count until ${formatBoth(immuneUntil, now())}`
      : "";
    return `${ban.address} is ${formatState(ban, now())} in ${ban.jail}${failures}`;
  };
  const command = new Command("remove")
    .description("lift a ban on every host, or many by what they have in common")
    .argument("[address]", "address or network as it is banned", check.address)
    .option("--jail <jail>", "in this jail (default: in every one)", check.jail)
    .option(
      "--immunity <duration>",
      "its failures do not count so long; 0: at once again (default: findtime)",
      check.immunity,
    )
    .option("--reason <text>", "why", check.text, "by hand")
    .addOption(waitOption(check.wait));
  return addSelection(command, check)
    .option(...JSON_OPTION)
    .addHelpText("after", REMOVE_EXAMPLES)
    .action(async (address: Address | undefined, options: RemoveOptions) => {
      if (address === undefined) {
        await removeMany(context, options);
        return;
      }
      if (isSelecting(options)) {
        const expected = "expected an address, or what chooses many bans, not both";
        throw new UsageError(`ban remove: ${address}: ${expected}`);
      }
      const { json, jail, immunity, reason, wait = null } = options;
      const reply = await ask("ban.remove", { address, jail, immunity, reason, wait });
      if (json) output.json("ban.remove", reply);
      else for (const ban of reply.bans) output.line(describe(ban));
      if (!reply.reach) return;
      reportReach(context, "ban remove", { reach: reply.reach, change: "lifted", json });
    });
}

async function removeMany(context: AskingContext, options: RemoveOptions): Promise<void> {
  const where = "ban remove";
  if (options.wait !== undefined) {
    throw new UsageError(`${where}: --wait: expected it with one address`);
  }
  const { reason, immunity } = options;
  const request = { selection: selectionOf(where, options), reason, immunity };
  const words = { would: "would be lifted", done: "lifted" };
  await changeManyBans(context, { where, endpoint: "ban.lift", request, options, words });
}

function waitOption(parse: (text: string) => number): Option {
  return new Option("--wait [duration]", "until every live host reports it, else exit 69")
    .preset("10s")
    .argParser(parse);
}

const ADD_EXAMPLES = `
Examples:
  fleetban ban add 198.51.100.7 --wait
  fleetban ban add 198.51.100.7 --for 1d --reason "asked by abuse desk"
  fleetban ban add 203.0.113.0/24 --for -1
  fleetban ban add 198.51.100.7 --for 5m --replace
`;

const REMOVE_EXAMPLES = `
Examples:
  fleetban ban remove 198.51.100.7 --wait
  fleetban ban remove 198.51.100.7 --immunity 1h --reason "customer called"
  fleetban ban remove --caused-by mx1 --since 1h --dry-run
  fleetban ban remove --policy-version 3f2a9c1d --dry-run
  fleetban ban remove --network 203.0.113.0/24 --jail dovecot --yes
`;
