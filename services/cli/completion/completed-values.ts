/** The values of options and arguments: words that the command line lists, or names of the fleet. */
import type { Argument, Option } from "commander";
import type { CommandNode } from "./command-tree.ts";

/** What `fleetban completion names KIND` prints, by the name that an argument has in --help. */
const KINDS: Readonly<Record<string, string>> = { jail: "jails", host: "hosts", sink: "sinks" };
export const VALUE_KINDS = Object.values(KINDS);

export type Values =
  /** These are all. */
  | { words: readonly string[] }
  /** A command prints them. */
  | { command: string };

/** undefined: nobody knows them, or the option takes none. */
export function valuesOfOption({ flags, argChoices }: Option): Values | undefined {
  return valuesOf(/[<[](\w+)[.\]>]*$/.exec(flags)?.[1], argChoices);
}

/** The same of the first argument of a command. */
export function valuesOfArgument(node: CommandNode): Values | undefined {
  const argument: Argument | undefined = node.arguments[0];
  return argument && valuesOf(argument.name(), argument.argChoices);
}

function valuesOf(
  name: string | undefined,
  words: readonly string[] | undefined,
): Values | undefined {
  if (words) return { words };
  const kind = name === undefined ? undefined : KINDS[name];
  if (kind === undefined) return undefined;
  return { command: `fleetban completion names ${kind} 2>/dev/null` };
}
