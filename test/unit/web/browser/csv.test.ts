import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readCsv } from "../../../../services/cli/lists/csv.ts";
import { harmless, writeCsv, writeTabs } from "../../../../services/web/browser/text/csv.ts";

test("a field that a spreadsheet would take for a formula begins with an apostrophe", () => {
  for (const field of ["=1+1", "+1 2", "-1+1", "@SUM(A1)", " =1", "|calc", "%x", "＝1"]) {
    assert.equal(harmless(field), `'${field}`);
  }
  assert.equal(harmless("\t=cmd|' /C calc'!A0"), "\\x09=cmd|' /C calc'!A0");
});

test("numbers, addresses and times stay as they are", () => {
  for (const field of [
    "-12",
    "3.5",
    "198.51.100.0/24",
    "2001:db8::1",
    "2026-11-30T08:00:00.000Z",
  ]) {
    assert.equal(harmless(field), field);
  }
});

test("whatever is in a field, a reader of CSV finds the same fields again", () => {
  const rows = fc.array(fc.array(fc.string({ unit: "binary" }), { minLength: 2, maxLength: 4 }), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(rows, (given) => {
      // An empty first field would be an empty row, and "#" a comment, to the reader of this test.
      const named = given.map((fields) => ["row", ...fields]);
      const read = [...readCsv(writeCsv(named))].map(({ fields }) => fields);
      const expected = named.map((fields) => fields.map(harmless));
      assert.deepEqual(read, expected);
    }),
  );
});

test("no field of a copy ends its cell or its row", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (field) => {
      assert.equal(writeTabs([["a", field]]).split(/[\t\n\r]/).length, 3);
    }),
  );
});
