/** `fleetban allow list|add|remove`: addresses that no automatic ban may touch. */
import { Command, Option } from "commander";
import type { Address } from "../wire/address.ts";
import type { Allowed } from "../wire/settings.ts";
import { checksOf } from "./arguments.ts";
import { formatState } from "./ban-words.ts";
import { JSON_OPTION, type Context, type JsonOption } from "./context.ts";
import { readPages } from "./pages.ts";
import { formatBoth, formatInstant, zoneOf } from "./time.ts";

export function allowCommand(context: Context): Command {
  const command = new Command("allow").description("addresses and networks that are never banned");
  command.addCommand(listCommand(context));
  command.addCommand(addCommand(context));
  command.addCommand(removeCommand(context));
  return command;
}

function listCommand({ ask, output, now }: Context): Command {
  return new Command("list")
    .description("every entry of the allowlist")
    .option(...JSON_OPTION)
    .action(async ({ json }: JsonOption) => {
      let total = 0;
      const { rows, next } = await readPages(Infinity, async ({ after }) => {
        const reply = await ask("allow.list", after === null ? {} : { after });
        total = reply.total;
        return { rows: reply.allowed, next: reply.next };
      });
      if (json) output.json("allow.list", { allowed: rows, total, next });
      else if (rows.length === 0) output.line("the allowlist is empty");
      else output.table([headOf(now()), ...rows.map(describeAllowed)]);
    });
}

interface AddOptions extends JsonOption {
  comment: string;
  jail?: string;
  label?: string;
  for?: number;
}

function addCommand({ ask, output, now }: Context): Command {
  const check = checksOf("allow add", output.note);
  return new Command("add")
    .description("never ban an address or a network; lifts the bans that it has")
    .argument("<address>", "address or network", check.allowable)
    .addOption(
      new Option("--comment <text>", "whose it is").argParser(check.text).default("", "none"),
    )
    .option("--jail <jail>", "spare it in this jail alone (default: in every one)", check.jail)
    .option("--label <text>", "a word to find the entry by", check.text)
    .option("--for <duration>", "only for so long: 2h, 7d (default: always)", check.seconds)
    .option(...JSON_OPTION)
    .addHelpText("after", EXAMPLES)
    .action(async (address: Address, options: AddOptions) => {
      const { json, comment, label, jail } = options;
      const seconds = options.for === Infinity ? undefined : options.for;
      const reply = await ask("allow.add", { address, jail, comment, label, seconds });
      if (json) {
        output.json("allow.add", reply);
        return;
      }
      const already = reply.changed ? "is" : "was already";
      const { until } = reply.allowed;
      const end = until === undefined ? "" : ` until ${formatBoth(until, now())}`;
      output.line(`${address} ${already} on ${nameList(jail)}${end}`);
      for (const ban of reply.lifted) {
        output.line(`${ban.address} is no longer banned in ${ban.jail}`);
      }
      const { liftedCount, lifted, pending } = reply;
      if (liftedCount > lifted.length) {
        output.line(`and so are ${liftedCount - lifted.length} others`);
      }
      if (pending > 0) {
        const text = "bans are still being lifted; no host enforces them any more";
        output.note(`${pending} ${text}`);
      }
    });
}

function removeCommand({ ask, output, now }: Context): Command {
  const check = checksOf("allow remove", output.note);
  return new Command("remove")
    .description("take an entry off the allowlist")
    .argument("<address>", "address or network as the list has it", check.address)
    .option("--jail <jail>", "the entry for this jail alone", check.jail)
    .option(...JSON_OPTION)
    .action(async (address: Address, { json, jail }: JsonOption & { jail?: string }) => {
      const reply = await ask("allow.remove", { address, jail });
      if (json) {
        output.json("allow.remove", reply);
        return;
      }
      output.line(`${address} is no longer on ${nameList(jail)}`);
      const { back = [], backCount = 0, pending = 0 } = reply;
      for (const ban of back) {
        output.line(`${ban.address} is ${formatState(ban, now())} in ${ban.jail} again`);
      }
      if (backCount > back.length) output.line(`and so are ${backCount - back.length} others`);
      if (pending > 0) output.note(`${pending} bans are still to come back`);
    });
}

/** Where an entry stands: for every jail, or for one. */
const nameList = (jail: string | undefined): string =>
  jail === undefined ? "the allowlist" : `the allowlist of jail ${jail}`;

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

const EXAMPLES = `
Examples:
  fleetban allow add 192.0.2.10 --comment "office"
  fleetban allow add 2001:db8:1::/48 --comment "monitoring"
  fleetban allow add 192.0.2.25 --jail submission --comment "scanner that sends mail"
  fleetban allow add 198.51.100.7 --for 2h --comment "customer migrates mail"
`;
