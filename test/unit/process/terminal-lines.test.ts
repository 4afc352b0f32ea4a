import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fitLines } from "../../../services/process/terminal-lines.ts";

test("a line of a check breaks between words, behind what it says", () => {
  assert.equal(
    fitLines("ok    NATS: 127.0.0.1:4222\nFAIL  source mail-log: is not there yet\n", 30),
    "ok    NATS: 127.0.0.1:4222\nFAIL  source mail-log: is not\n      there yet\n",
  );
});

test("no line is wider than the terminal, unless a word is, and no word is lost", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "7", ":"), minLength: 1, maxLength: 20 });
  const line = fc
    .tuple(fc.constantFrom("ok    ", "FAIL  ", ""), fc.array(word, { minLength: 1 }))
    .map(([head, words]) => head + words.join(" "));
  const wordsOf = (text: string) => text.split(/[ \n]+/).filter((each) => each !== "");
  fc.assert(
    fc.property(line, fc.integer({ min: 26, max: 90 }), (text, columns) => {
      const fitted = fitLines(text, columns);
      assert.deepEqual(wordsOf(fitted), wordsOf(text));
      for (const each of fitted.split("\n")) assert.ok(each.length <= columns, each);
    }),
  );
});
