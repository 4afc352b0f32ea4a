import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { warn, warning, WARNINGS } from "../../../services/wire/warnings.ts";

const page = readFileSync(new URL("../../../docs/troubleshooting.md", import.meta.url), "utf8");

test("docs/troubleshooting.md has a section for every warning, with its code and title", () => {
  for (const [code, { title }] of Object.entries(WARNINGS)) {
    assert.ok(page.includes(`### \`${code}\`: ${title}\n`), `no section of ${code}: ${title}`);
  }
});

test("docs/troubleshooting.md has no section of a warning that is gone", () => {
  const codes = [...page.matchAll(/^### `([a-z-]+)`/gm)].map(([, code]) => code);
  assert.deepEqual(codes.toSorted(), Object.keys(WARNINGS).toSorted());
});

test("a text that is longer than the wire carries is cut", () => {
  const long = warn("state-not-written", { reason: "x".repeat(2_000) });
  assert.equal(warning.parse(long).text.length, 500);
});
