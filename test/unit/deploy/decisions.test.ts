/** docs/decisions: one file per decision, an index of all of them, and a reason for every dependency. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";

const ROOT = resolve(import.meta.dirname, "../../..");
const FOLDER = join(ROOT, "docs/decisions");
const decisions = readdirSync(FOLDER).filter((file) => file !== "README.md");
const read = (file: string) => readFileSync(join(FOLDER, file), "utf8");

test("a decision has a number, a date, its context, its consequences and when to look at it again", () => {
  for (const [index, file] of decisions.toSorted().entries()) {
    const number = String(index + 1).padStart(4, "0");
    assert.match(file, new RegExp(`^${number}-\\d{4}-\\d{2}-\\d{2}-[a-z0-9-]+\\.md$`));
    const text = read(file);
    assert.ok(text.startsWith(`# ${index + 1}. `), file);
    assert.ok(text.includes(`\nDecided on ${file.slice(5, 15)}.\n`), file);
    const headings = [...text.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);
    const expected = ["Context", "Decision", "Consequences", "When to look at it again"];
    assert.deepEqual(headings, expected, file);
  }
});

test("the index of the decisions names every one of them once, with its title and date", () => {
  const index = read("README.md").replace(/\n {2,}/g, " ");
  for (const file of decisions) {
    const [, title = ""] = /^# (.*)$/m.exec(read(file)) ?? [];
    const line = `- [${title}](${file}), ${file.slice(5, 15)}\n`;
    assert.equal(index.split(line).length, 2, line);
  }
});

test("every dependency has its reason in the list of dependencies, and none that is gone", () => {
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(
    readFileSync(join(ROOT, "package.json"), "utf8"),
  ) as Record<string, Record<string, string>>;
  const used = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies });
  const [list = ""] = decisions.filter((file) => file.startsWith("0001-"));
  const items = read(list).matchAll(/^- ((?:`[^`]+`,?\s+)*`[^`]+`)(?= \(optional\)|:)/gm);
  const named = [...items].flatMap(([, names = ""]) =>
    [...names.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
  );
  assert.deepEqual(named.toSorted(), used.toSorted());
});
