/** `fleetban failure list|add|top|erase`: the failures on record, and those of other programs. */
import { Command } from "commander";
import type { Address } from "../wire/address.ts";
import type { FailureRow } from "../wire/api.ts";
import { checkPeriod, checksOf } from "./arguments.ts";
import type { AskingContext } from "./confirm.ts";
import { addCommand } from "./failure-add.ts";
import { JSON_OPTION, noteStale, type JsonOption } from "./context.ts";
import { addEraseCommand } from "./failure-erase.ts";
import { addTopCommand } from "./failure-top.ts";
import { readPages } from "./pages.ts";
import type { Cell } from "./table.ts";
import { formatInstant, zoneOf } from "./time.ts";
import { shorten } from "./visible.ts";

interface ListOptions extends JsonOption {
  address?: Address;
  user?: string;
  domain?: string;
  host?: string;
  jail?: string;
  since?: number;
  until?: number;
  limit: number;
}

export function failureCommand(context: AskingContext): Command {
  const { ask, output, now } = context;
  const check = checksOf("failure list", output.note);
  const command = new Command("failure").description("failed authentication attempts");

  command
    .command("list")
    .description("failures on record, newest first")
    .option("--address <address>", "of this address, or of all in this network", check.address)
    .option("--user <name>", "with this user name", check.text)
    .option("--domain <domain>", "with user names of this mail domain", check.text)
    .option("--host <host>", "seen by this host", check.host)
    .option("--jail <jail>", "counted for this jail", check.jail)
    .option("--since <when>", "from then on: 1h (ago), or 2026-11-24T12:00", check.instant)
    .option("--until <when>", "up to then", check.instant)
    .option("--limit <number>", "at most so many", check.limit, 100)
    .option(...JSON_OPTION)
    .addHelpText("after", EXAMPLES)
    .action(async ({ json, limit, ...query }: ListOptions) => {
      checkPeriod("failure list", query);
      const reply = await readPages("failures", limit, (page) =>
        ask("failure.list", { ...query, ...page }),
      );
      const { failures, next, stale } = reply;
      noteStale(context, stale);
      if (json) {
        output.json(reply);
        return;
      }
      if (failures.length === 0) output.line("no failures on record");
      else output.table([failureHead(now()), ...failures.map(describeFailure)]);
      if (next !== null) output.note(`there are more than these ${limit}: --limit shows more`);
    });

  addTopCommand(command, context);
  addEraseCommand(command, context);
  return command.addCommand(addCommand(context));
}

export const failureHead = (now: number) => [
  `TIME (${zoneOf(now)})`,
  "HOST",
  "JAIL",
  "ADDRESS",
  "ATTEMPTS",
  "SERVICE",
  "USER",
];

export function describeFailure(row: FailureRow): Cell[] {
  const { at, host, jail, address, attempts, service, user } = row;
  const name = user === null ? "-" : shorten(user, 48);
  return [formatInstant(at), host, jail, address, String(attempts), service ?? "-", name];
}

const EXAMPLES = `
Examples:
  fleetban failure list --since 1h
  fleetban failure list --address 198.51.100.0/24 --limit 1000
  fleetban failure list --user info@example.com --host mx1 --json
  fleetban failure list --domain example.com --since 1w
`;
