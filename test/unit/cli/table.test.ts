import assert from "node:assert/strict";
import { test } from "node:test";
import { formatTable, type Paint } from "../../../services/cli/table.ts";

const plain: Paint = (_color, text) => text;
const marked: Paint = (color, text) => `<${color}>${text}</>`;

test("columns are in line and no line ends in spaces", () => {
  const rows = [
    ["HOST", "STATE", "NOTE"],
    ["mx1", "up", ""],
    ["mail-host-2", "down", "silent"],
  ];
  assert.deepEqual(formatTable(rows, plain), [
    "HOST         STATE  NOTE",
    "mx1          up",
    "mail-host-2  down   silent",
  ]);
});

test("color takes no room", () => {
  const rows = [
    [{ text: "down", color: "red" } as const, "a"],
    ["up", "b"],
  ];
  assert.deepEqual(formatTable(rows, marked), ["<red>down</>  a", "up    b"]);
});

test("a cell cannot drive the terminal, and its escapes count as what they take", () => {
  assert.deepEqual(
    formatTable(
      [
        ["\x1b[1m", "x"],
        ["ab", "y"],
      ],
      plain,
    ),
    ["\\x1b[1m  x", "ab       y"],
  );
});

test("a table of no rows is empty", () => assert.deepEqual(formatTable([], plain), []));

test("a table that is wider than the terminal wraps its texts, and breaks no address", () => {
  const rows = [
    ["ADDRESS", "STATE", "REASON"],
    ["2001:db8:ffff:ffff:ffff:ffff:ffff:1000", "banned until now", "5 failures on 3 hosts"],
  ];
  const lines = formatTable(rows, (_, text) => text, 60);
  assert.ok(
    lines.every((line) => line.length <= 60),
    lines.join("\n"),
  );
  assert.equal(lines.filter((line) => line.includes("ffff:1000")).length, 1);
  assert.deepEqual(
    lines.join(" ").split(/ +/).sort(),
    rows.flat().join(" ").split(" ").sort(),
    "no word is lost",
  );
  assert.equal(formatTable(rows, (_, text) => text).length, 2, "a pipe takes any width");
});
