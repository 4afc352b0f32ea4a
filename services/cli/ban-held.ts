/** `fleetban ban release` and `ban discard`: decide about bans that a guard has held. */
import { Command } from "commander";
import type { Address } from "../wire/address.ts";
import { checksOf, UsageError } from "./arguments.ts";
import type { AskingContext } from "./confirm.ts";
import { JSON_OPTION } from "./context.ts";
import { addSelection, changeManyBans, selectionOf, type SelectionOptions } from "./many-bans.ts";

interface HeldOptions extends SelectionOptions {
  reason?: string;
}

export function releaseCommand(context: AskingContext): Command {
  return heldCommand(context, {
    verb: "release",
    description: "put held bans into force, for the time that is left of them",
    words: { would: "would come into force", done: "in force" },
    examples: ["--caused-by mx1", "198.51.100.7 --yes", "--all"],
  });
}

export function discardCommand(context: AskingContext): Command {
  return heldCommand(context, {
    verb: "discard",
    description: "drop held bans: what has brought them counts no more",
    words: { would: "would be dropped", done: "dropped" },
    examples: ["--caused-by mx1", "--network 203.0.113.0/24", "--all --yes"],
  });
}

interface HeldVerb {
  verb: "release" | "discard";
  description: string;
  words: { would: string; done: string };
  examples: readonly string[];
}

function heldCommand(context: AskingContext, held: HeldVerb): Command {
  const { verb, description, words, examples } = held;
  const where = `ban ${verb}`;
  const check = checksOf(where, context.output.note);
  const command = new Command(verb)
    .description(description)
    .argument("[address]", "held bans of this address, or within this network", check.address)
    .option("--jail <jail>", "of this jail", check.jail)
    .option("--reason <text>", "why", check.text, "by hand");
  return addSelection(command, check)
    .option(...JSON_OPTION)
    .addHelpText(
      "after",
      `\nExamples:\n${examples.map((each) => `  fleetban ${where} ${each}\n`).join("")}`,
    )
    .action(async (address: Address | undefined, options: HeldOptions) => {
      if (address !== undefined && options.network !== undefined) {
        throw new UsageError(`${where}: ${address}: expected an address or --network, not both`);
      }
      const network = address ?? options.network;
      const selected = { ...options, ...(network !== undefined && { network }) };
      const selection = selectionOf(where, selected, "an address");
      const request = { selection, reason: options.reason ?? "by hand" };
      const endpoint = `ban.${verb}` as const;
      await changeManyBans(context, { where, endpoint, request, options, words });
    });
}
