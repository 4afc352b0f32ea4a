import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command } from "commander";
import { PROGRAMS } from "../../deploy/package/programs.ts";
import { runProgram } from "../../services/process/program.ts";

/** Every command below this one, with the words that call it. */
function commandsOf(
  command: Command,
  words: string[] = [],
): { command: Command; words: string[] }[] {
  const below = command.commands.flatMap((inner) => commandsOf(inner, [...words, inner.name()]));
  return [{ command, words }, ...below];
}

/** What the program says on stderr. */
async function complaintOf(program: Command, args: readonly string[]): Promise<string> {
  let said = "";
  const configure = (command: Command): void => {
    command.configureOutput({ writeErr: (text) => (said += text), writeOut: () => {} });
    command.commands.forEach(configure);
  };
  configure(program);
  assert.equal(await runProgram(program, ["node", program.name(), ...args]), 64);
  return said;
}

for (const { name, command: create } of PROGRAMS) {
  test(`${name} says what an unknown option and an unknown command may have meant`, async () => {
    for (const { command, words } of commandsOf(create())) {
      const flags = command.options.flatMap(({ long }) => (long ? [long] : []));
      for (const flag of flags) {
        const said = await complaintOf(create(), [...words, `${flag}x`]);
        assert.match(said, new RegExp(`Did you mean (one of )?.*${flag}`), said);
      }
      for (const inner of command.commands) {
        const said = await complaintOf(create(), [...words, `${inner.name()}x`]);
        assert.match(said, new RegExp(`Did you mean (one of )?.*${inner.name()}`), said);
      }
    }
  });

  test(`${name} says behind a wrong call how that very command is called`, async () => {
    for (const { command, words } of commandsOf(create())) {
      const path = [name, ...words].join(" ");
      const said = await complaintOf(create(), [...words, "--nonsense"]);
      const [, call = "", rest = ""] = /\n\((usage: )?(.*); --help explains/.exec(said) ?? [];
      assert.ok(rest.startsWith(call ? `${path} [options]` : `${path} has `), said);
      for (const inner of command.commands) assert.ok(rest.includes(inner.name()), said);
    }
  });

  test(`${name} has --dry-run wherever --yes keeps it from asking`, () => {
    for (const { command, words } of commandsOf(create())) {
      const flags = command.options.map(({ long }) => long);
      if (flags.includes("--yes")) assert.ok(flags.includes("--dry-run"), words.join(" "));
    }
  });
}
