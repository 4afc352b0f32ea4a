/** Completion for zsh: the same as for bash, with what --help says of each command and option. */
import { commandsOf, type CommandNode } from "./command-tree.ts";
import type { CompletedProgram } from "./completed-program.ts";
import { valuesOfArgument, valuesOfOption, type Values } from "./completed-values.ts";

export function zshCompletion({ name, command }: CompletedProgram): string {
  const nodes = commandsOf(command());
  const [program] = nodes;
  const everywhere = program ? optionsOf(program) : [];
  const shell = `_${name.replaceAll("-", "_")}`;
  // Not "path": zsh keeps PATH in it.
  return `#compdef ${name}
# Completion for ${name}, made from its command line.
${shell}() {
  local at= word current=\${words[CURRENT]} before=\${words[CURRENT-1]}
  local -a found
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case $at/$word in
${nodes
  .slice(1)
  .map((each) => `      (${pathOf(each)}) at=$at/$word ;;\n`)
  .join("")}    esac
  done
  case $at:$before in
${nodes.flatMap(valueCasesOf).join("")}  esac
  case $at:$current in
${nodes.map((each) => casesOf(each, everywhere)).join("")}  esac
  _files
}
compdef ${shell} ${name} 2>/dev/null
[[ $funcstack[1] = ${shell} ]] && ${shell} "$@"
`;
}

const pathOf = ({ words }: CommandNode) => words.map((word) => `/${word}`).join("");

/** "name:what it is", in quotes. */
const described = (name: string, description: string): string =>
  `'${`${name}:${description}`.replaceAll("'", "'\\''")}'`;

function optionsOf({ command, options }: CommandNode): string[] {
  const help = command.createHelp();
  return options.flatMap((option) =>
    option.long === undefined ? [] : [described(option.long, help.optionDescription(option))],
  );
}

function casesOf(node: CommandNode, everywhere: readonly string[]): string {
  const path = pathOf(node);
  const options = [...new Set([...optionsOf(node), ...everywhere])].join(" ");
  const flags = `    (${path}:-*) found=(${options}); _describe option found; return ;;\n`;
  const values = valuesOfArgument(node);
  if (values !== undefined) {
    return `${flags}    (${path}:*) found=(${spell(values)}); compadd -a found; return ;;\n`;
  }
  const commands = node.command.createHelp().visibleCommands(node.command);
  if (commands.length === 0) return flags;
  const words = commands.map((each) => described(each.name(), each.description())).join(" ");
  return `${flags}    (${path}:*) found=(${words}); _describe command found; return ;;\n`;
}

/** Behind an option that takes a value. */
function valueCasesOf(node: CommandNode): string[] {
  return node.options.flatMap((option) => {
    const { long } = option;
    const values = valuesOfOption(option);
    if (long === undefined || values === undefined) return [];
    return [
      `    (${pathOf(node)}:${long}) found=(${spell(values)}); compadd -a found; return ;;\n`,
    ];
  });
}

const spell = (values: Values): string =>
  "words" in values ? values.words.join(" ") : `\${(f)"$(${values.command})"}`;
