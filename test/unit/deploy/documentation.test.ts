/** Manual pages and completions that the packages carry, against the command lines themselves. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import type { Command } from "commander";
import { commandsOf } from "../../../services/cli/completion/command-tree.ts";
import { bashCompletion } from "../../../services/cli/completion/bash-completion.ts";
import { fishCompletion } from "../../../services/cli/completion/fish-completion.ts";
import { zshCompletion } from "../../../services/cli/completion/zsh-completion.ts";
import { manPageOf } from "../../../deploy/package/man-page.ts";
import { PROGRAMS } from "../../../deploy/package/programs.ts";

const withoutGroff = existsSync("/usr/bin/groff") ? false : "needs groff";

const RELEASE = { version: "1.2.3", epoch: 1_700_000_000, maintainer: "A <a@example.org>" };

for (const program of PROGRAMS) {
  const { name } = program;
  const commands = commandsOf(program.command());

  test(`the manual page of ${name} names every command, argument and option`, () => {
    const page = manPageOf(program, RELEASE);
    const text = page.replaceAll("\\-", "-");
    assert.match(text, new RegExp(`^\\.TH "${name.toUpperCase()}" "[18]" "2023-11-14"`));
    for (const { words, options, arguments: given } of commands) {
      if (words.length > 0) assert.ok(text.includes(`\n.SS "${words.join(" ")} `), words.join(" "));
      for (const { long } of options) assert.ok(text.includes(long ?? ""), long);
      for (const argument of given) assert.ok(text.includes(`<${argument.name()}>`));
    }
  });

  test(`no line of the manual page of ${name} is an unknown request`, () => {
    for (const line of manPageOf(program, RELEASE).split("\n")) {
      if (!/^[.']/.test(line)) continue;
      assert.match(line, /^\.(?:TH|SH|SS|TP|TQ|PP|IP|nf|fi|B|I|BR)\b/);
    }
  });

  test(
    `every paragraph of the manual page of ${name} is one of its own, 80 columns wide`,
    { skip: withoutGroff },
    () => {
      const page = manPageOf(program, RELEASE);
      const groff = ["-man", "-Tascii", "-P-cbou", "-rLL=78n", "-rHY=0"]; // without hyphens
      const rendered = execFileSync("groff", groff, {
        ...{ input: page, encoding: "utf8" as const },
        stdio: ["pipe", "pipe", "ignore"],
      });
      const shown = rendered.split(/\n\s*\n/).map((each) => each.replace(/\s+/g, " ").trim());
      for (const { command } of commands) {
        for (const paragraph of paragraphsAfterHelp(command)) {
          const [first = ""] = shown.filter((each) => each.startsWith(paragraph.slice(0, 20)));
          assert.equal(first, paragraph);
        }
      }
      for (const line of rendered.split("\n")) {
        const isExample = / (?:zcat|fleetban) /.test(line);
        assert.ok(isExample || line.length <= 78, line);
      }
    },
  );

  test(`bash completes every command and option of ${name}`, () => {
    for (const { words, options, subcommands, arguments: given } of commands) {
      const offered = complete(program, [...words, ""]).filter((each) => !each.startsWith("its-"));
      assert.deepEqual(offered, [...subcommands, ...(given[0]?.argChoices ?? [])]);
      const flags = complete(program, [...words, "-"]);
      for (const { long } of options)
        assert.ok(flags.includes(long ?? ""), `${words.join(" ")} ${long}`);
    }
  });
}

test("bash completes the choices of an option, and what has been begun", () => {
  const cli = PROGRAMS.find(({ name }) => name === "fleetban")!;
  assert.deepEqual(complete(cli, ["explain", "--mode", ""]), ["normal", "aggressive"]);
  assert.deepEqual(complete(cli, ["ban", "sh"]), ["show"]);
});

const withoutShell = (shell: string) =>
  spawnSync(shell, ["--version"]).status === 0 ? false : `needs ${shell}`;

for (const [shell, offers] of [
  ["bash", complete],
  ["zsh", completeInZsh],
  ["fish", completeInFish],
] as const) {
  test(
    `${shell} completes commands, options, choices, and names of the fleet`,
    { skip: withoutShell(shell) },
    () => {
      const cli = PROGRAMS.find(({ name }) => name === "fleetban")!;
      const names = (...words: string[]) =>
        offers(cli, words).map((each) => each.replace(/(?<!:):(?!:).*|\t.*/, ""));
      assert.deepEqual(
        names("ba")
          .filter((each) => each.startsWith("ba"))
          .sort(),
        ["backup", "ban"],
      );
      assert.ok(names("ban", "").includes("import"), names("ban", "").join());
      assert.ok(!names("ban", "").includes("status"));
      assert.ok(names("ban", "list", "--").includes("--ending-within"));
      assert.deepEqual(names("ban", "add", "--jail", ""), ["its-jails"]);
      assert.deepEqual(names("ban", "remove", "--caused-by", ""), ["its-hosts"]);
      assert.deepEqual(names("jail", "show", ""), ["its-jails"]);
      assert.deepEqual(names("host", "show", ""), ["its-hosts"]);
      assert.ok(names("ban", "export", "--format", "").includes("mikrotik"));
    },
  );
}

/** The program that a completion asks for names. */
const FLEETBAN = 'fleetban() { echo "its-$3"; }';

/** What a real bash offers for the last of `words`. */
function complete(program: (typeof PROGRAMS)[number], words: readonly string[]): string[] {
  const line = [program.name, ...words];
  const script = `${FLEETBAN}
${bashCompletion(program)}
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_${program.name.replaceAll("-", "_")}
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = execFileSync("bash", ["-c", script, "bash", ...line], { encoding: "utf8" });
  return output.split("\n").filter(Boolean);
}

/** What a real zsh would show, with stand-ins for the functions that show it. */
function completeInZsh(program: (typeof PROGRAMS)[number], words: readonly string[]): string[] {
  const script = `${FLEETBAN}
compdef() { :; }
compadd() { print -rl -- "\${(@P)2}"; }
_describe() { print -rl -- "\${(@P)2}"; }
_files() { :; }
${zshCompletion(program)}
words=(${program.name} "$@") CURRENT=$(($# + 1))
_${program.name.replaceAll("-", "_")}`;
  const output = execFileSync("zsh", ["-f", "-c", script, "zsh", ...words], { encoding: "utf8" });
  return output.split("\n").filter(Boolean);
}

function completeInFish(program: (typeof PROGRAMS)[number], words: readonly string[]): string[] {
  const script = `function fleetban; echo "its-$argv[3]"; end
${fishCompletion(program)}
complete -C $argv[1]`;
  const line = [program.name, ...words].join(" ");
  const output = execFileSync("fish", ["--no-config", "-c", script, line], { encoding: "utf8" });
  return output.split("\n").filter(Boolean);
}

/** Paragraphs of prose that a command's help has below its options; white space is one blank. */
function paragraphsAfterHelp(command: Command): string[] {
  let text = "";
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  const more = text.slice(command.helpInformation().length).trim();
  return more
    .split(/\n\n+/)
    .filter((paragraph) => paragraph !== "" && !/^  /m.test(paragraph))
    .map((paragraph) => paragraph.replace(/\s+/g, " ").trim());
}
