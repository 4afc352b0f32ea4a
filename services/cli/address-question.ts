/** What `ban show` and `ban why` share: a question about one address, and its answer in JSON. */
import { Command } from "commander";
import type { Address } from "../wire/address.ts";
import type { Reply } from "../wire/api.ts";
import { checksOf } from "./arguments.ts";
import { JSON_OPTION, noteStale, type Context, type JsonOption } from "./context.ts";

export interface AddressQuestion {
  verb: "show" | "why";
  description: string;
  /** Writes the answer for people to read. */
  tell: (reply: Reply<"ban.show">, address: Address) => void | Promise<void>;
  /** More options. */
  addOptions?: (command: Command) => void;
}

interface Options extends JsonOption {
  jail?: string;
  trace?: true;
}

export function addressQuestion(context: Context, question: AddressQuestion): Command {
  const { ask, output } = context;
  const { verb, description, tell, addOptions } = question;
  const check = checksOf(`ban ${verb}`, output.note);
  const command = new Command(verb)
    .description(description)
    .argument("<address>", "address or network", check.address)
    .option("--jail <jail>", "in this jail (default: in every one)", check.jail);
  addOptions?.(command);
  return command
    .option(...JSON_OPTION)
    .action(async (address: Address, { json, jail, trace }: Options) => {
      const reply = await ask("ban.show", { address, jail, ...(trace && { trace }) });
      noteStale(context, reply.stale);
      if (json) output.json(reply);
      else await tell(reply, address);
    });
}
