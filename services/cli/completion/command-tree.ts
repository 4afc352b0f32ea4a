/** What a program's command line has, for its manual page and its completion. */
import { Option, type Argument, type Command } from "commander";

export interface CommandNode {
  /** The words that lead to it: ["ban", "add"]; none: the program itself. */
  words: readonly string[];
  command: Command;
  options: readonly Option[];
  arguments: readonly Argument[];
  subcommands: readonly string[];
}

/** The program, then each command before its subcommands, as --help lists them. */
export function commandsOf(command: Command, words: readonly string[] = []): CommandNode[] {
  const help = command.createHelp();
  const subcommands = help.visibleCommands(command);
  return [
    {
      words,
      command,
      options: help.visibleOptions(command),
      arguments: help.visibleArguments(command),
      subcommands: subcommands.map((each) => each.name()),
    },
    ...subcommands.flatMap((each) => commandsOf(each, [...words, each.name()])),
  ];
}
