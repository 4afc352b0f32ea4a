/** Documents that `test/deploy` pastes on machines: what can be held without booting any. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { commandsOf } from "../../../services/cli/completion/command-tree.ts";
import { PROGRAMS } from "../../../deploy/package/programs.ts";
import { readBlocks, readSections } from "../../deploy/documents.ts";

const DOCUMENTS = [
  "docs/installation.md",
  "docs/operating.md",
  "docs/migration-from-fail2ban.md",
  "deploy/ansible/README.md",
];

test("README begins an installation by hand as docs/installation.md does", () => {
  const [readme] = readBlocks("README.md", "Install with packages, by hand");
  const [installation] = readBlocks("docs/installation.md", "Step 1: make the keys");
  assert.deepEqual(readme, installation);
});

test("every block of commands says where it is pasted", () => {
  for (const document of DOCUMENTS) {
    for (const heading of readSections(document)) readBlocks(document, heading);
  }
});

test("every command and option of fleetban in the documents is one", () => {
  const trees = new Map(PROGRAMS.map(({ name, command }) => [name, commandsOf(command())]));
  for (const document of DOCUMENTS) {
    for (const heading of readSections(document)) {
      for (const { commands } of readBlocks(document, heading)) {
        for (const [line, program = "", words = ""] of commands.matchAll(CALL)) {
          const given = words.trim().split(/\s+/);
          const known = (trees.get(program) ?? []).filter(
            (node) => node.words.length > 0 && node.words.every((word, at) => given[at] === word),
          );
          const node = known.sort((a, b) => b.words.length - a.words.length)[0];
          assert.ok(node, `${document}: ${line}`);
          for (const [option] of words.matchAll(/--[a-z-]+/g)) {
            assert.ok(
              node.options.some(({ long }) => long === option),
              `${document}: ${line}: ${option}`,
            );
          }
        }
      }
    }
  }
});

/** `fleetban host wait mx1`, `sudo fleetban-agent check`; not `apt-get install fleetban`. */
const CALL =
  /(?:^|sudo (?:-u \S+ )?|=fleetban-keys )(fleetban(?:-agent|-coordinator)?) ([^\n>|]*)/gm;
