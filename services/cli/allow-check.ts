/** `fleetban allow check ADDRESS`: would an automatic ban touch it? The exit code says so, too. */
import { Command } from "commander";
import { contains, type Address } from "../wire/address.ts";
import type { Reply } from "../wire/api.ts";
import type { Allowed } from "../wire/settings.ts";
import { EXIT, SilentExit } from "../process/exit.ts";
import { checksOf } from "./arguments.ts";
import { JSON_OPTION, type Context, type JsonOption } from "./context.ts";
import { formatBoth } from "./time.ts";

export function allowCheckCommand(context: Context): Command {
  const { ask, output } = context;
  const check = checksOf("allow check", output.note);
  return new Command("check")
    .description("say whether an address is never banned; exit 0 if so, else 1")
    .argument("<address>", "address or network", check.address)
    .option("--jail <jail>", "in this jail (default: in every one)", check.jail)
    .option(...JSON_OPTION)
    .action(async (address: Address, { json, jail }: JsonOption & { jail?: string }) => {
      const reply = await ask("allow.show", { address, jail });
      if (json) output.json(reply);
      else for (const line of describe(context, address, reply)) output.line(line);
      if (!isCovered(address, reply)) throw new SilentExit(EXIT.refused);
    });
}

function isCovered(address: Address, { allowed, machine }: Reply<"allow.show">): boolean {
  return [allowed, machine].some((entry) => entry && contains(entry.address, address));
}

function* describe(
  context: Context,
  address: Address,
  { allowed, inJails, machine }: Reply<"allow.show">,
): Generator<string> {
  if (allowed) yield describeEntry(context, address, allowed);
  else if (!machine) yield `${address} is not on the allowlist`;
  for (const entry of inJails) yield describeEntry(context, address, entry);
  if (!machine) return;
  const { what } = machine;
  yield machine.address === address
    ? `${address} is an address of ${what}, never banned`
    : `${address} holds ${machine.address}, an address of ${what}, never banned`;
}

function describeEntry({ now }: Context, address: Address, entry: Allowed): string {
  const about = entry.comment === "" ? "" : ` (${entry.comment})`;
  const end = entry.until === undefined ? "" : ` until ${formatBoth(entry.until, now())}`;
  const list = entry.jail === undefined ? "the allowlist" : `the allowlist of jail ${entry.jail}`;
  if (!contains(entry.address, address)) {
    return `${address} is not on ${list} as a whole, but ${entry.address} is${about}${end}`;
  }
  const is = entry.address === address ? "is" : `is within ${entry.address}, which is`;
  return `${address} ${is} on ${list}${about}${end}`;
}
