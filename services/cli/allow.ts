/** `fleetban allow`: addresses that no automatic ban may touch. */
import { Command, Option } from "commander";
import type { Reply } from "../wire/api.ts";
import { allowCheckCommand } from "./allow-check.ts";
import { allowImportCommand } from "./allow-import.ts";
import { allowExportCommand, allowListCommand } from "./allow-list.ts";
import { checksOf } from "./arguments.ts";
import { formatState } from "./ban-words.ts";
import type { AskingContext } from "./confirm.ts";
import { JSON_OPTION, type Context, type JsonOption } from "./context.ts";
import { count } from "../config/count.ts";
import { confirmWide, forEachAddress, printJson, readAddresses } from "./several.ts";
import { formatBoth } from "./time.ts";

export function allowCommand(context: AskingContext): Command {
  const command = new Command("allow").description("addresses and networks that are never banned");
  command.addCommand(allowListCommand(context));
  command.addCommand(allowCheckCommand(context));
  command.addCommand(addCommand(context));
  command.addCommand(removeCommand(context));
  command.addCommand(allowImportCommand(context));
  command.addCommand(allowExportCommand(context));
  return command;
}

interface AddOptions extends JsonOption {
  comment: string;
  jail?: string;
  label?: string;
  for?: number;
  dryRun?: true;
  yes?: true;
}

function addCommand(context: AskingContext): Command {
  const { ask, output } = context;
  const where = "allow add";
  const check = checksOf(where, output.note);
  return new Command("add")
    .description("never ban addresses or networks; lifts the bans that they have")
    .argument("<address...>", "addresses or networks; -: those that stdin has")
    .addOption(
      new Option("--comment <text>", "whose it is").argParser(check.text).default("", "none"),
    )
    .option("--jail <jail>", "spare it in this jail alone (default: in every one)", check.jail)
    .option("--label <text>", "a word to find the entry by", check.text)
    .option("--for <duration>", "only for so long: 2h, 7d (default: always)", check.seconds)
    .option("--dry-run", "only say what would be done")
    .option("--yes", "do not ask, also where a network is wider than /16, for IPv6 /48")
    .option(...JSON_OPTION)
    .addHelpText("after", EXAMPLES)
    .action(async (given: string[], options: AddOptions) => {
      const { json, jail, comment, label, dryRun, yes } = options;
      const addresses = await readAddresses(context, where, given, check.allowable);
      const isSure = dryRun ?? yes;
      await confirmWide(context, where, { addresses, what: "would never be banned", yes: isSure });
      const seconds = options.for === Infinity ? undefined : options.for;
      const wanted = { jail, comment, label, seconds, ...(dryRun && { dryRun }) };
      await forEachAddress(context, addresses, {
        work: (address) => ask("allow.add", { address, ...wanted }),
        async tell(reply) {
          if (json) await printJson(context, reply, addresses);
          else if (dryRun) describePlanned(context, reply);
          else describeAdded(context, reply);
        },
      });
    });
}

function describePlanned({ output, now }: Context, reply: Reply<"allow.add">): void {
  const { allowed, changed, liftedCount } = reply;
  const { until } = allowed;
  const state = changed ? "would be" : "is already";
  const end = until === undefined ? "" : ` until ${formatBoth(until, now())}`;
  output.line(`${allowed.address} ${state} on ${nameList(allowed.jail)}${end}`);
  if (liftedCount > 0) output.line(`${count(liftedCount, "ban")} would be lifted`);
}

function describeAdded({ output, now }: Context, reply: Reply<"allow.add">): void {
  const { allowed, changed, liftedCount, lifted, pending } = reply;
  const already = changed ? "is" : "was already";
  const { until } = allowed;
  const end = until === undefined ? "" : ` until ${formatBoth(until, now())}`;
  output.line(`${allowed.address} ${already} on ${nameList(allowed.jail)}${end}`);
  for (const ban of lifted) output.line(`${ban.address} is no longer banned in ${ban.jail}`);
  if (liftedCount > lifted.length) output.line(`and so are ${liftedCount - lifted.length} others`);
  if (pending > 0) {
    output.note(`${pending} bans are still being lifted; no host enforces them any more`);
  }
}

interface RemoveOptions extends JsonOption {
  jail?: string;
  reason?: string;
}

function removeCommand(context: AskingContext): Command {
  const { ask, output } = context;
  const where = "allow remove";
  const check = checksOf(where, output.note);
  return new Command("remove")
    .description("take entries off the allowlist")
    .argument("<address...>", "addresses or networks as the list has them; -: those of stdin")
    .option("--jail <jail>", "the entries for this jail alone", check.jail)
    .option("--reason <text>", "why, for fleetban audit list (default: none)", check.text)
    .option(...JSON_OPTION)
    .action(async (given: string[], { json, jail, reason }: RemoveOptions) => {
      const addresses = await readAddresses(context, where, given, check.address);
      await forEachAddress(context, addresses, {
        work: (address) => ask("allow.remove", { address, jail, reason }),
        async tell(reply) {
          if (json) await printJson(context, reply, addresses);
          else describeRemoved(context, reply);
        },
      });
    });
}

function describeRemoved({ output, now }: Context, reply: Reply<"allow.remove">): void {
  output.line(`${reply.allowed.address} is no longer on ${nameList(reply.allowed.jail)}`);
  const { back = [], backCount = 0, pending = 0 } = reply;
  for (const ban of back) {
    output.line(`${ban.address} is ${formatState(ban, now())} in ${ban.jail} again`);
  }
  if (backCount > back.length) output.line(`and so are ${backCount - back.length} others`);
  if (pending > 0) output.note(`${pending} bans are still to come back`);
}

/** Where an entry stands: for every jail, or for one. */
const nameList = (jail: string | undefined): string =>
  jail === undefined ? "the allowlist" : `the allowlist of jail ${jail}`;

const EXAMPLES = `
Examples:
  fleetban allow add 192.0.2.10 --comment "office"
  fleetban allow add 2001:db8:1::/48 --comment "monitoring"
  fleetban allow add 192.0.2.25 --jail submission --comment scanner
  fleetban allow add 198.51.100.7 --for 2h --comment "customer migrates mail"
  fleetban allow add 192.0.2.10 192.0.2.11 --for 4h --label office
`;
