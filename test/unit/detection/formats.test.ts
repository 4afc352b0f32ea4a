import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { choicesOfTape, pick } from "../../harness/line-formats/choices.ts";
import { FORMATS } from "../../harness/line-formats/format-table.ts";
import { chooseHostileLine, spell } from "../../harness/line-formats/hostile-line.ts";
import { findFault } from "../../harness/line-formats/judge.ts";

/** Where the length of the tape ends, every choice is the plainest. */
const tapes = fc.array(fc.nat(), { size: "max", maxLength: 120 });

for (const file of ["pam.txt"]) {
  const formats = FORMATS.filter(({ name }) => name.startsWith(`${file}:`));

  test(`${file}: hostile text gets nobody else counted, and hides no attempt`, () => {
    fc.assert(
      fc.property(tapes, (tape) => {
        const choices = choicesOfTape(tape);
        const line = chooseHostileLine(pick(choices, formats), choices);
        const fault = findFault(line);
        assert.equal(fault, undefined, `${line.skeleton.format.name}: ${fault}: ${spell(line)}`);
      }),
      { numRuns: 1_500 },
    );
  });
}
