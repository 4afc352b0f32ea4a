/** `fleetban ban list|show|add|remove`. */
import { Command, Option } from "commander";
import type { Address } from "../wire/address.ts";
import type { Reply } from "../wire/api.ts";
import type { Ban } from "../wire/ban.ts";
import { checksOf, UsageError } from "./arguments.ts";
import { discardCommand, releaseCommand } from "./ban-held.ts";
import { banImportCommand } from "./ban-import.ts";
import { banExportCommand, banListCommand } from "./ban-list.ts";
import { formatState } from "./ban-words.ts";
import { showCommand } from "./ban-show.ts";
import { whyCommand } from "./ban-why.ts";
import type { AskingContext } from "./confirm.ts";
import { JSON_OPTION, type Context, type JsonOption } from "./context.ts";
import {
  addSelection,
  changeManyBans,
  isSelecting,
  selectionOf,
  type SelectionOptions,
} from "./many-bans.ts";
import { confirmWide, forEachAddress, printJson, readAddresses } from "./several.ts";
import { noteStillBanned } from "./still-banned.ts";
import { reportReach } from "./reach.ts";
import { formatBoth, formatEnd } from "./time.ts";

export function banCommand(context: AskingContext): Command {
  const command = new Command("ban").description("who is banned, since when, why and where");
  command.addCommand(banListCommand(context));
  command.addCommand(showCommand(context));
  command.addCommand(whyCommand(context));
  command.addCommand(addCommand(context));
  command.addCommand(removeCommand(context));
  command.addCommand(releaseCommand(context));
  command.addCommand(discardCommand(context));
  command.addCommand(banImportCommand(context));
  command.addCommand(banExportCommand(context));
  return command;
}

interface AddOptions extends JsonOption {
  jail: string;
  for?: number;
  reason: string;
  replace?: boolean;
  wait?: number;
  dryRun?: true;
  yes?: true;
}

function addCommand(context: AskingContext): Command {
  const { ask, output, now } = context;
  const where = "ban add";
  const check = checksOf(where, output.note);
  return new Command("add")
    .description("ban addresses or networks on every host")
    .argument(
      "<address...>",
      "addresses or networks, at widest /8 for IPv4, /32 for IPv6; -: those that stdin has",
    )
    .option("--jail <jail>", "whose ports are closed to it", check.jail, "dovecot")
    .option("--for <duration>", "20m, 1d 12h; -1: for ever (default: the jail's)", check.seconds)
    .option("--reason <text>", "why", check.text, "by hand")
    .option("--replace", "also when the present ban lasts longer")
    .option("--dry-run", "only say what would be done")
    .option("--yes", "do not ask, also where a network is wider than /16, for IPv6 /48")
    .addOption(waitOption(check.wait))
    .option(...JSON_OPTION)
    .addHelpText("after", ADD_EXAMPLES)
    .action(async (given: string[], options: AddOptions) => {
      const { json, jail, reason, replace = false, wait = null, dryRun, yes } = options;
      const addresses = await readAddresses(context, where, given, check.bannable);
      const isSure = dryRun ?? yes;
      await confirmWide(context, where, { addresses, what: "would be banned", yes: isSure });
      const seconds = options.for === Infinity ? null : options.for;
      const order = { jail, seconds, reason, replace, wait, ...(dryRun && { dryRun }) };
      await forEachAddress(context, addresses, {
        work: (address) => ask("ban.add", { address, ...order }),
        async tell(reply) {
          if (json) await printJson(context, reply, addresses);
          else describeAdded(reply, dryRun);
          if (!reply.changed) output.note("it lasts as long or longer; --replace sets another end");
          if (!reply.reach) return;
          reportReach(context, where, { reach: reply.reach, change: "in force", json });
        },
      });
    });

  function describeAdded({ ban, changed }: Reply<"ban.add">, dryRun: true | undefined): void {
    const done = dryRun ? "would be" : "is";
    const state = changed ? `${done} banned` : "is already banned";
    output.line(`${ban.address} ${state} in ${ban.jail} ${formatEnd(ban.until, now())}`);
  }
}

interface RemoveOptions extends SelectionOptions {
  immunity?: number;
  reason: string;
  wait?: number;
  allowFor?: number;
}

function removeCommand(context: AskingContext): Command {
  const check = checksOf(REMOVE, context.output.note);
  const command = new Command("remove")
    .description("lift bans on every host, or many by what they have in common")
    .argument("[address...]", "addresses or networks as they are banned; -: those of stdin")
    .option("--jail <jail>", "in this jail (default: in every one)", check.jail)
    .option(
      "--immunity <duration>",
      "its failures do not count so long; 0: at once again (default: findtime)",
      check.immunity,
    )
    .option(
      "--allow-for <duration>",
      "and put it on the allowlist for so long: 1d; -1: for good",
      check.seconds,
    )
    .option("--reason <text>", "why", check.text, "by hand")
    .addOption(waitOption(check.wait));
  return addSelection(command, check)
    .option(...JSON_OPTION)
    .addHelpText("after", REMOVE_EXAMPLES)
    .action(async (given: string[], options: RemoveOptions) => {
      if (given.length === 0) {
        await removeMany(context, options);
        return;
      }
      const { dryRun, ...others } = options;
      if (dryRun && !isSelecting(others)) {
        const instead = `fleetban ban show ${given.join(" ")} shows what is banned`;
        throw new UsageError(`${REMOVE}: --dry-run is for bans that options choose: ${instead}`);
      }
      if (isSelecting(options)) {
        const expected = "expected addresses, or what chooses many bans, not both";
        throw new UsageError(`${REMOVE}: ${given.join(" ")}: ${expected}`);
      }
      const addresses = await readAddresses(context, REMOVE, given, check.address);
      await removeNamed(context, addresses, options);
    });
}

const REMOVE = "ban remove";

async function removeNamed(
  context: AskingContext,
  addresses: readonly Address[],
  options: RemoveOptions,
): Promise<void> {
  const { ask, output } = context;
  const { json, jail, immunity, reason, allowFor, wait = null } = options;
  await forEachAddress(context, addresses, {
    async work(address) {
      const reply = await ask("ban.remove", { address, jail, immunity, reason, wait });
      // The other way round the allowlist would only keep the ban for later.
      const allowed =
        allowFor === undefined ? undefined : await allowFreed(context, address, options);
      return { reply, allowed };
    },
    async tell({ reply, allowed }) {
      if (json) await printJson(context, reply, addresses);
      else for (const ban of reply.bans) output.line(describeLifted(context, ban));
      if (allowed !== undefined && !json) output.line(allowed);
      if (allowed === undefined && !json) noteStillBanned(context, reply);
      if (!reply.reach) return;
      reportReach(context, REMOVE, { reach: reply.reach, change: "lifted", json });
    },
  });
}

/** Returns what is to be said. */
async function allowFreed(
  { ask, now }: Context,
  address: Address,
  { allowFor, reason }: RemoveOptions,
): Promise<string> {
  const seconds = allowFor === Infinity ? undefined : allowFor;
  const comment = `ban lifted: ${reason}`.slice(0, 256);
  const { allowed } = await ask("allow.add", { address, comment, seconds });
  const end = allowed.until === undefined ? "" : ` until ${formatBoth(allowed.until, now())}`;
  return `${address} is on the allowlist${end}`;
}

function describeLifted({ now }: Context, ban: Ban): string {
  const { immuneUntil } = ban;
  const isImmune = immuneUntil !== null && immuneUntil > now();
  const failures = isImmune
    ? `; its failures do not count until ${formatBoth(immuneUntil, now())}`
    : "";
  return `${ban.address} is ${formatState(ban, now())} in ${ban.jail}${failures}`;
}

async function removeMany(context: AskingContext, options: RemoveOptions): Promise<void> {
  const where = REMOVE;
  for (const name of ["wait", "allowFor"] as const) {
    if (options[name] === undefined) continue;
    const flag = name === "wait" ? "--wait" : "--allow-for";
    throw new UsageError(`${where}: ${flag}: expected it with addresses`);
  }
  const { reason, immunity } = options;
  const request = { selection: selectionOf(where, options, "addresses"), reason, immunity };
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
  fleetban ban add - --for 1d < addresses.txt
`;

const REMOVE_EXAMPLES = `
Examples:
  fleetban ban remove 198.51.100.7 --wait
  fleetban ban remove 198.51.100.7 --immunity 1h --reason "customer called"
  fleetban ban remove 198.51.100.7 --allow-for 1d --reason "customer called"
  fleetban ban remove --caused-by mx1 --since 1h --dry-run
  fleetban ban remove --network 203.0.113.0/24 --jail dovecot --yes
`;
