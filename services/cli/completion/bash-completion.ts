/** Completion for bash: the commands and options of a program's own command line, and their values. */
import { commandsOf, type CommandNode } from "./command-tree.ts";
import { valuesOfArgument, valuesOfOption, type Values } from "./completed-values.ts";
import type { CompletedProgram } from "./completed-program.ts";

export function bashCompletion({ name, command }: CompletedProgram): string {
  const nodes = commandsOf(command());
  const [program] = nodes;
  const everywhere = program ? flagsOf(program) : [];
  const shell = `_${name.replaceAll("-", "_")}`;
  return `# Completion for ${name}, made from its command line.
${shell}() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]}
  local path= word words=
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $path/$word in
${nodes
  .slice(1)
  .map((each) => `      ${pathOf(each)}) path=$path/$word ;;\n`)
  .join("")}    esac
  done
  case $path:$before in
${nodes.flatMap(valueCasesOf).join("")}  esac
  if [ -z "$words" ]; then
    case $path:$current in
${nodes.map((each) => casesOf(each, everywhere)).join("")}    esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o default -F ${shell} ${name}
`;
}

const pathOf = ({ words }: CommandNode) => words.map((word) => `/${word}`).join("");

function flagsOf({ options }: CommandNode): string[] {
  return options.flatMap(({ short, long }) => [short ?? [], long ?? []].flat());
}

function casesOf(node: CommandNode, everywhere: readonly string[]): string {
  const path = pathOf(node);
  const flags = [...new Set([...flagsOf(node), ...everywhere])].join(" ");
  const values = valuesOfArgument(node);
  const words = values === undefined ? node.subcommands.join(" ") : spell(values);
  return `      ${path}:-*) words="${flags}" ;;
      ${path}:*) words="${words}" ;;
`;
}

/** Behind an option that takes a value. */
function valueCasesOf(node: CommandNode): string[] {
  return node.options.flatMap((option) => {
    const { long } = option;
    const values = valuesOfOption(option);
    if (long === undefined || values === undefined) return [];
    return [`    ${pathOf(node)}:${long}) words="${spell(values)}" ;;\n`];
  });
}

const spell = (values: Values): string =>
  "words" in values ? values.words.join(" ") : `$(${values.command})`;
