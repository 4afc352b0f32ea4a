/** Completion for fish: the same as for bash, with what --help says of each command and option. */
import type { Option } from "commander";
import { commandsOf, type CommandNode } from "./command-tree.ts";
import type { CompletedProgram } from "./completed-program.ts";
import { valuesOfArgument, valuesOfOption, type Values } from "./completed-values.ts";

export function fishCompletion({ name, command }: CompletedProgram): string {
  const nodes = commandsOf(command());
  const at = `__${name.replaceAll("-", "_")}_at`;
  const lines = nodes.flatMap((node) =>
    linesOf(node, `complete -c ${name} -n '${condition(at, node)}'`),
  );
  return `# Completion for ${name}, made from its command line.
function ${at}
    set -l at
    for word in (commandline -opc)[2..-1]
        if contains -- (string join -- ' ' $at $word) ${nodes
          .slice(1)
          .map(({ words }) => quoted(words.join(" ")))
          .join(" ")}
            set -a at $word
        end
    end
    test "$at" = "$argv"
end
${lines.join("\n")}
`;
}

const condition = (at: string, { words }: CommandNode) => [at, ...words].join(" ");

const quoted = (text: string): string =>
  `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

function linesOf(node: CommandNode, head: string): string[] {
  const { command, options } = node;
  const help = command.createHelp();
  const values = valuesOfArgument(node);
  return [
    ...help
      .visibleCommands(command)
      .map((each) => `${head} -f -a ${each.name()} -d ${quoted(each.description())}`),
    ...(values === undefined ? [] : [`${head} -f -a ${quoted(spell(values))}`]),
    ...options.map((option) => `${head} ${optionOf(option, help.optionDescription(option))}`),
  ];
}

function optionOf(option: Option, description: string): string {
  const { short, long, required } = option;
  const values = valuesOfOption(option);
  return [
    ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
    ...(long === undefined ? [] : [`-l ${long.slice(2)}`]),
    ...(values === undefined ? [] : [`-f -a ${quoted(spell(values))}`]),
    ...(required ? ["-r"] : []),
    `-d ${quoted(description)}`,
  ].join(" ");
}

const spell = (values: Values): string =>
  "words" in values ? values.words.join(" ") : `(${values.command})`;
