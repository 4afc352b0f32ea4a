import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readLine } from "../../../services/detection/dovecot/read-line.ts";
import { choicesOfSeed, choicesOfTape, pick } from "../../harness/line-formats/choices.ts";
import { FORMATS } from "../../harness/line-formats/format-table.ts";
import { chooseHostileLine, spell, spellPlain } from "../../harness/line-formats/hostile-line.ts";
import { attemptsOf, countOf, findFault, READ_AT } from "../../harness/line-formats/judge.ts";

/** Of each format, so many lines: in other layouts, envelopes and lists. */
const PLAIN_LINES = 8;

test("plain lines of every format count what they tell, each at its own address and time", () => {
  const choices = choicesOfSeed(7);
  let reported = 0;
  for (const format of FORMATS) {
    for (let turn = 0; turn < PLAIN_LINES; turn += 1) {
      const line = chooseHostileLine(format, choices);
      const text = spellPlain(line);
      const reading = readLine(text, READ_AT);
      const where = `${format.name}: ${text}`;
      assert.ok(reading.at !== undefined, where);
      const counted = countOf(reading);
      if (counted > 0) assert.equal(reading.address, line.facts.rip, where);
      if (format.truth === "none" || format.truth === "forged") assert.equal(counted, 0, where);
      if (format.truth !== "attempt") continue;
      if (reading.isUnrecognized) reported += 1;
      else assert.equal(counted, attemptsOf(line), where);
    }
  }
  // A few layouts of a proxy's lines cannot be read for certain, and are reported.
  assert.ok(reported <= FORMATS.length / 10, `${reported} lines of attempts are only reported`);
});

/** Where the tape ends, every choice is the plainest. */
const tapes = fc.array(fc.nat(), { size: "max", maxLength: 120 });

for (const file of new Set(FORMATS.map(({ name }) => name.split(":")[0] ?? ""))) {
  const formats = FORMATS.filter(({ name }) => name.startsWith(`${file}:`));

  test(`${file}: hostile text gets nobody else counted, and hides no attempt`, () => {
    fc.assert(
      fc.property(tapes, (tape) => {
        const choices = choicesOfTape(tape);
        const line = chooseHostileLine(pick(choices, formats), choices);
        const fault = findFault(line);
        assert.equal(fault, undefined, `${line.skeleton.format.name}: ${fault}: ${spell(line)}`);
      }),
      // The same lines at every run; `npm run fuzz` tries others.
      { numRuns: 1_500, seed: 7 },
    );
  });
}
