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
