/**
 * The manual page of a program: what its own --help says of every command and option, then
 * the sections of deploy/man, which are written by hand.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { commandsOf, type CommandNode } from "../../services/cli/completion/command-tree.ts";
import type { Program } from "./programs.ts";
import type { Release } from "./release.ts";

const PROSE = resolve(import.meta.dirname, "../man");

export function manPageOf({ name, section, command }: Program, release: Release): string {
  const [program, ...commands] = commandsOf(command());
  if (!program) throw new Error(`${name} has no command line`);
  const date = new Date(release.epoch * 1000).toISOString().slice(0, 10);
  const [version] = release.version.split("~"); // the whole would run into the date
  const title = [name.toUpperCase(), String(section), date, `fleetban ${version}`];
  return [
    `.TH ${title.map(quoted).join(" ")} "fleetban"`,
    ".SH NAME",
    `${escape(name)} \\- ${escape(summaryOf(program.command))}`,
    ".SH SYNOPSIS",
    `.B ${escape(name)}`,
    escape(program.command.usage()),
    ".SH DESCRIPTION",
    escape(program.command.description()),
    ...paragraphs(textAfterHelp(program.command)),
    ".SH OPTIONS",
    ...optionsOf(program),
    ".SH COMMANDS",
    ...commands.flatMap(commandOf),
    readFileSync(resolve(PROSE, `${name}.roff`), "utf8").trimEnd(),
    "",
  ].join("\n");
}

/** Of the program's description, as `man -k` shows it: one line, no full stop. */
function summaryOf(command: Command): string {
  const text = command.description().replace(/\.$/, "");
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function commandOf(node: CommandNode): string[] {
  const { command, words } = node;
  return [
    `.SS ${quoted([...words, command.usage()].join(" "))}`,
    escape(`${command.description()}.`),
    ...node.arguments.flatMap((each) =>
      entry(`<${each.name()}>`, command.createHelp().argumentDescription(each)),
    ),
    ...optionsOf(node),
    ...paragraphs(textAfterHelp(command)),
  ];
}

function optionsOf({ command, options }: CommandNode): string[] {
  const help = command.createHelp();
  return options
    .filter(({ long }) => long !== "--help" || !command.parent)
    .flatMap((each) => entry(help.optionTerm(each), help.optionDescription(each)));
}

function entry(term: string, description: string): string[] {
  return [".TP", `.B ${escape(term)}`, escape(description)];
}

/** What addHelpText has put below the help. */
function textAfterHelp(command: Command): string {
  let whole = "";
  command.configureOutput({ writeOut: (text) => (whole += text) });
  command.outputHelp();
  return whole.slice(command.helpInformation().length).trim();
}

/**
 * Paragraphs of help. A paragraph of prose is filled, whatever the width of the terminal. Lines
 * that are indented stay as they are, such as the commands below "Examples:".
 */
function paragraphs(text: string): string[] {
  return text.split(/\n\n+/).flatMap((paragraph) => {
    const lines = paragraph.split("\n").filter((line) => line !== "");
    const firstIndented = lines.findIndex((line) => line.startsWith("  "));
    const prose = firstIndented === -1 ? lines : lines.slice(0, firstIndented);
    const verbatim = firstIndented === -1 ? [] : lines.slice(firstIndented);
    return [
      ...(prose.length === 0 ? [] : [".PP", ...prose.map(escape)]),
      ...(verbatim.length === 0 ? [] : [".PP", ".nf", ...verbatim.map(escape), ".fi"]),
    ];
  });
}

function quoted(text: string): string {
  return `"${escape(text).replaceAll('"', "\\(dq")}"`;
}

/** groff_char(7), groff(7): a line's first dot or apostrophe would be a request. */
function escape(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^([.'])/, "\\&$1");
}
