/** Manual pages and completions that the packages carry, against the command lines themselves. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import type { Command } from "commander";
import { commandsOf } from "../../../deploy/package/command-tree.ts";
import { completionOf } from "../../../deploy/package/completion.ts";
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
    for (const { words, options, subcommands } of commands) {
      assert.deepEqual(complete(program, [...words, ""]), [...subcommands]);
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

/** What a real bash offers for the last of `words`. */
function complete(program: (typeof PROGRAMS)[number], words: readonly string[]): string[] {
  const line = [program.name, ...words];
  const script = `${completionOf(program)}
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_${program.name.replaceAll("-", "_")}
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = execFileSync("bash", ["-c", script, "bash", ...line], { encoding: "utf8" });
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
