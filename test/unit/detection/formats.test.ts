import assert from "node:assert/strict";
import { test } from "node:test";
import { readLine } from "../../../services/detection/dovecot/read-line.ts";
import { choicesOfSeed } from "../../harness/line-formats/choices.ts";
import { FORMATS } from "../../harness/line-formats/format-table.ts";
import { chooseHostileLine, spell, spellPlain } from "../../harness/line-formats/hostile-line.ts";
import { READ_AT } from "../../harness/line-formats/judge.ts";

test("lines of every format can be made, hostile and plain, and each has a time", () => {
  const choices = choicesOfSeed(7);
  for (const format of FORMATS) {
    for (let turn = 0; turn < 10; turn += 1) {
      const line = chooseHostileLine(format, choices);
      assert.doesNotMatch(spellPlain(line), /\{(?:[a-z]+|[a-z]+-[a-z]+)\}/, format.name);
      assert.ok(readLine(spell(line), READ_AT).at !== undefined, spell(line));
    }
  }
});
