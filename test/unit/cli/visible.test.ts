import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { quote, shorten, visible, visibleJson } from "../../../services/cli/visible.ts";

/** What a terminal acts on: C0, DEL, C1, and what turns the direction of writing. */
const DRIVES =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

for (const [text, shown] of [
  ["info@example.com", "info@example.com"],
  ["Jörg 日本 😀", "Jörg 日本 😀"],
  ["\x1b]0;owned\x07", "\\x1b]0;owned\\x07"],
  ["\x9b31mred", "\\x9b31mred"],
  ["a\nb\r\tc\x7f", "a\\x0ab\\x0d\\x09c\\x7f"],
  ["abc\u202etxt.exe", "abc\\u202etxt.exe"],
  ["a\u{e0041}b", "a\\u{e0041}b"],
  ["\ud800", "\\ud800"],
] as const) {
  test(`${JSON.stringify(text)} is shown as ${shown}`, () => assert.equal(visible(text), shown));
}

test("no text can drive the terminal, neither in a table nor in JSON", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      assert.doesNotMatch(visible(text), DRIVES);
      const json = visibleJson({ text });
      assert.doesNotMatch(json.replaceAll("\n", ""), DRIVES);
      assert.deepEqual(JSON.parse(json), { text });
    }),
  );
});

test("JSON keeps what it escapes", () => {
  const value = { user: "\x1b[2J\x7f\x9b\u202e\ud800\u{e0041}é" };
  assert.match(visibleJson(value), /\\u001b\[2J\\u007f\\u009b\\u202e\\ud800\\udb40\\udc41é/);
  assert.deepEqual(JSON.parse(visibleJson(value)), value);
});

test("a long text is cut after it was made visible", () => {
  assert.equal(shorten("abcdef", 6), "abcdef");
  assert.equal(shorten("abcdefg", 6), "abcde…");
  assert.equal(shorten("\x1b\x1b\x1b", 6), "\\x1b\\…");
  assert.equal(shorten("😀😀😀", 2), "😀…");
});

test("what was given is quoted", () => {
  assert.equal(quote('a"b\x9b'), '"a\\"b\\x9b"');
});
