import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cut, segmentsOf, visible } from "../../../../services/web/browser/text/visible-text.ts";

test("ordinary text of any script is shown as it is", () => {
  for (const text of ["alice@example.org", "Grüße", "日本語", "עברית", "नमस्ते", "a<b>&c", "👍"]) {
    assert.equal(visible(text), text);
  }
});

test("characters that turn the direction, are not seen or drive something become escapes", () => {
  assert.equal(visible("a\u202egro.elpmaxe\u202c"), "a\\u202egro.elpmaxe\\u202c");
  assert.equal(visible("\u2066x\u2069\u200b\ufeff"), "\\u2066x\\u2069\\u200b\\ufeff");
  assert.equal(visible("\x1b[2J\0\r\n\t"), "\\x1b[2J\\x00\\x0d\\x0a\\x09");
  assert.equal(visible("\u{e0041}\ud800"), "\\u{e0041}\\ud800");
});

test("characters that look like spaces become escapes", () => {
  assert.equal(visible("a\u3164b\u115f\u2800"), "a\\u3164b\\u115f\\u2800");
});

test("marks that pile up on one character become escapes", () => {
  assert.equal(visible("e\u0301"), "e\u0301");
  assert.equal(visible(`z${"\u0300".repeat(5)}`), `z${"\u0300".repeat(3)}\\u0300\\u0300`);
});

test("no hidden character is left of any text, and nothing else is lost", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const shown = visible(text);
      assert.doesNotMatch(shown, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
      const plain = segmentsOf(text).filter(({ isEscape }) => !isEscape);
      for (const { text: part } of plain) assert.ok(text.includes(part));
    }),
  );
});

test("a long text is cut between characters", () => {
  assert.deepEqual(cut("short", 10), { text: "short", total: 5 });
  assert.deepEqual(cut("👍👍👍👍", 3), { text: "👍👍👍", total: 8 });
  assert.equal(cut("a".repeat(10_000), 80).text.length, 80);
});
