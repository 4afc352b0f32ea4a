/** `fleetban completion`: a shell's completion, and the names of the fleet that it asks for. */
import { Argument, Command } from "commander";
import { setTimeout as sleep } from "node:timers/promises";
import { EXIT, SilentExit } from "../../process/exit.ts";
import type { CommandContext } from "../commands.ts";
import type { Context } from "../context.ts";
import { listHosts } from "../list-hosts.ts";
import { listJails } from "../list-jails.ts";
import { bashCompletion } from "./bash-completion.ts";
import type { CompletedProgram } from "./completed-program.ts";
import { VALUE_KINDS } from "./completed-values.ts";
import { fishCompletion } from "./fish-completion.ts";
import { zshCompletion } from "./zsh-completion.ts";

/** By the name of the shell. */
export const COMPLETIONS = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
} as const satisfies Readonly<Record<string, (program: CompletedProgram) => string>>;

/** Nobody waits longer for a name. */
const NAMES_WITHIN_MS = 1_500;

export function completionCommand(context: CommandContext): Command {
  const command = new Command("completion")
    .description("print a shell's completion; packages have it in its place")
    .addHelpText("after", MORE);
  for (const [shell, complete] of Object.entries(COMPLETIONS)) {
    command
      .command(shell)
      .description(`for ${shell}`)
      .action(async () => {
        const whole = await wholeProgram(context);
        await context.output.literals(complete(whole).trimEnd().split("\n"));
      });
  }
  command
    .command("names")
    .description("names that the fleet knows, one per line, for a completion")
    .addArgument(new Argument("<kind>", "which names").choices(VALUE_KINDS))
    .action((kind: string) => printNames(context, kind));
  return command;
}

/** This program has loaded the command that was called; the others are loaded here. */
async function wholeProgram(context: CommandContext): Promise<CompletedProgram> {
  const { loadCommands } = await import("../commands.ts");
  const { createProgram } = await import("../../process/program.ts");
  const made = await loadCommands();
  const program = createProgram("fleetban", "").option("--nats <url>", "where the fleet's NATS is");
  for (const make of made) program.addCommand(make(context).helpCommand(false));
  return { name: "fleetban", command: () => program };
}

async function printNames(context: Context, kind: string): Promise<void> {
  const names = await Promise.race([
    namesOf(context, kind),
    sleep(NAMES_WITHIN_MS, undefined, { ref: false }),
  ]);
  if (!names) throw new SilentExit(EXIT.unavailable);
  await context.output.literals([...names].sort());
}

async function namesOf(context: Context, kind: string): Promise<string[]> {
  if (kind === "hosts") return (await listHosts(context)).hosts.map(({ host }) => host);
  if (kind === "sinks") {
    return (await context.ask("notify.list", {})).sinks.map(({ name }) => name);
  }
  return (await listJails(context)).jails.map(({ jail }) => jail.name);
}

const MORE = `
Examples:
  fleetban completion bash > ~/.local/share/bash-completion/completions/fleetban
  fleetban completion zsh > ~/.zfunc/_fleetban
  fleetban completion fish > ~/.config/fish/completions/fleetban.fish
`;
