import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { wrapIndented } from "../../../services/cli/column-widths.ts";
import { formatTable, formatTableOrBlocks, type Paint } from "../../../services/cli/table.ts";

const plain: Paint = (_color, text) => text;

const word = fc.string({
  unit: fc.constantFrom("a", "Z", "7", ":", ".", "/", "ü", "\x1b"),
  minLength: 1,
  maxLength: 39,
});
const cell = fc.array(word, { maxLength: 6 }).map((words) => words.join(" "));
const rows = fc.array(fc.array(cell, { minLength: 1, maxLength: 6 }), {
  minLength: 1,
  maxLength: 5,
});

/** How a terminal shows a word of these. */
const shown = (text: string) => text.replaceAll("\x1b", "\\x1b");
const wordsOf = (texts: readonly string[]) =>
  texts
    .flatMap((text) => text.split(" "))
    .filter((text) => text !== "")
    .sort();

test("a table loses no word and breaks none, however narrow the terminal is", () => {
  fc.assert(
    fc.property(rows, fc.integer({ min: 1, max: 200 }), (table, room) => {
      assert.deepEqual(wordsOf(formatTable(table, plain, room)), wordsOf(table.flat().map(shown)));
    }),
  );
});

test("a table is no wider than the terminal, unless its longest words are", () => {
  fc.assert(
    fc.property(rows, fc.integer({ min: 1, max: 200 }), (table, room) => {
      const columns = Math.max(...table.map((row) => row.length));
      const longest = Array.from({ length: columns }, (_, column) =>
        Math.max(0, ...wordsOf(table.map((row) => shown(row[column] ?? ""))).map((w) => w.length)),
      );
      const least = longest.reduce((sum, width) => sum + width + 2, -2);
      for (const line of formatTable(table, plain, room)) {
        assert.ok(line.length <= Math.max(room, least), `${line.length} in ${room}: ${line}`);
        assert.doesNotMatch(line, / $/);
      }
    }),
  );
});

test("a table that is too wide for the terminal becomes a block for each row", () => {
  const head = ["ADDRESS", "STATE", "REASON"];
  const address = "2001:db8:1234:5678:9abc:def0:1234:5678";
  const listed = [
    [address, "banned until 2026-11-29 21:15:56 UTC", "a scanner"],
    ["192.0.2.9", "banned", "7 failures"],
  ];
  assert.equal(formatTableOrBlocks(head, listed, plain, 90).length, 3);
  assert.deepEqual(formatTableOrBlocks(head, listed, plain, 52), [
    `ADDRESS  ${address}`,
    "STATE    banned until 2026-11-29 21:15:56 UTC",
    "REASON   a scanner",
    "",
    "ADDRESS  192.0.2.9",
    "STATE    banned",
    "REASON   7 failures",
  ]);
});

test("a line of explain breaks between its values, and goes on where it began", () => {
  const line = "     2  failure  2001:db8:ffff:ffff:ffff:ffff:ffff:2000  auth-pam-failed";
  assert.deepEqual(wrapIndented(line, 60), [
    "     2  failure  2001:db8:ffff:ffff:ffff:ffff:ffff:2000",
    "     auth-pam-failed",
  ]);
  assert.deepEqual(wrapIndented(line, Infinity), [line]);
});
