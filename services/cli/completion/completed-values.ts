/** Which arguments of a command line have values that only the fleet knows. */
import type { Option } from "commander";
import type { CommandNode } from "./command-tree.ts";

/** What `fleetban completion names KIND` prints, by the name that an argument has in --help. */
const KINDS: Readonly<Record<string, string>> = { jail: "jails", host: "hosts", sink: "sinks" };
export const VALUE_KINDS = Object.values(KINDS);

/** The command that prints the values of an option; undefined: nobody knows them. */
export function valuesOfOption({ flags }: Option): string | undefined {
  return valuesOf(/[<[](\w+)[.\]>]*$/.exec(flags)?.[1]);
}

/** The same of the first argument of a command. */
export const valuesOfArgument = (node: CommandNode): string | undefined =>
  valuesOf(node.arguments[0]?.name());

function valuesOf(name: string | undefined): string | undefined {
  const kind = name === undefined ? undefined : KINDS[name];
  return kind && `fleetban completion names ${kind} 2>/dev/null`;
}
