/** Command lines of all programs: commander, with the exit codes of sysexits. */
import type { Writable } from "node:stream";
import { Command, CommanderError } from "commander";
import { EXIT, explainExit, type ExitCode } from "./exit.ts";
import { describeVersion } from "./describe-version.ts";
import { readVersion } from "./version.ts";

/** Descriptions wrap on narrow terminals, too: commander leaves them whole below 40 columns. */
export const HELP = { minWidthToWrap: 20 };

export function createProgram(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .version(readVersion(), "-V, --version", "print the version; with --verbose, that of Node, too")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .configureHelp(HELP)
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, `${name}: `)),
    })
    .exitOverride();
}

/** Runs the command line and returns the exit code; errors are explained on stderr. */
export async function runProgram(
  program: Command,
  argv: readonly string[],
  stderr: Pick<Writable, "write"> = process.stderr,
): Promise<ExitCode> {
  explainErrors(program, program.name());
  if (asksForEveryVersion(argv.slice(2))) {
    process.stdout.write(describeVersion());
    return EXIT.ok;
  }
  try {
    await program.parseAsync([...argv]);
    return EXIT.ok;
  } catch (error) {
    // commander has said what was wrong; help and version that were asked for are no error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    return explainExit(program.name(), error, stderr);
  }
}

const asksForEveryVersion = (args: readonly string[]) =>
  args.length === 2 && args.includes("--verbose") && args.some((each) => VERSION.has(each));
const VERSION: ReadonlySet<string> = new Set(["-V", "--version"]);

/** Subcommands that were made elsewhere inherit none of this. */
function explainErrors(command: Command, path: string): void {
  command.exitOverride();
  command.showHelpAfterError(`(${describeUsage(command, path)})`);
  for (const each of command.commands) explainErrors(each, `${path} ${each.name()}`);
}

/** What would be right, behind the error of a command line that is wrong. */
function describeUsage(command: Command, path: string): string {
  const names = command
    .createHelp()
    .visibleCommands(command)
    .map((each) => each.name());
  return names.length === 0
    ? `usage: ${path} ${command.usage()}; --help explains it`
    : `${path} has ${names.join(", ")}; --help explains them`;
}
