import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { readLine } from "../../../../services/detection/dovecot/read-line.ts";

const CORPUS = resolve(import.meta.dirname, "../../../corpus");
const DETECTION = resolve(import.meta.dirname, "../../../../services/detection/dovecot");
const RECEIVED = Date.UTC(2026, 2, 4);

type Expected = [
  form: string | null,
  verdict: string,
  attempts: number,
  address: string | null,
  user: string | null,
  session: string | null,
];

/** Pairs of lines: what was written, and `=> ` what it must be read as. */
function readCorpus(name: string): { line: string; expected: Expected; number: number }[] {
  const lines = readFileSync(join(CORPUS, name), "utf8").split("\n").slice(1, -1);
  return Array.from({ length: lines.length / 2 }, (_, index) => {
    const expected = JSON.parse((lines[2 * index + 1] ?? "").slice(3)) as Expected;
    return { line: lines[2 * index] ?? "", expected, number: 2 * index + 2 };
  });
}

for (const name of ["lines.txt", "hostile.txt"]) {
  test(`every line of corpus/${name} is read as it must be`, () => {
    for (const { line, expected, number } of readCorpus(name)) {
      const { form, verdict, attempts, address, user, session } = readLine(line, RECEIVED);
      const read = [form, verdict, attempts, address ?? null, user ?? null, session ?? null];
      assert.deepEqual(read, expected, `corpus/${name}:${number}: ${line}`);
    }
  });

  test(`no line of corpus/${name} is read otherwise for its end of line`, () => {
    for (const { line, number } of readCorpus(name)) {
      assert.deepEqual(readLine(`${line}\r`, RECEIVED), readLine(line, RECEIVED), String(number));
    }
  });
}

test("every form that the code names stands in the corpus", () => {
  const code = readdirSync(DETECTION)
    .filter((file) => file.endsWith(".ts"))
    .map((file) => readFileSync(join(DETECTION, file), "utf8"))
    .join("");
  const named = new Set(
    [...code.matchAll(/"((?:login|auth|pam)-[a-z0-9.-]+)"/g)].map(([, form]) => form ?? ""),
  );
  named.delete("auth-worker"); // a program
  for (const { expected } of [...readCorpus("lines.txt"), ...readCorpus("hostile.txt")]) {
    named.delete(expected[0] ?? "");
  }
  assert.deepEqual([...named], []);
});

test("a line that repeats another says how often", () => {
  const repeated = readCorpus("lines.txt").filter(({ line }) => line.includes("repeated 4 times"));
  assert.equal(repeated.length, 1);
  assert.equal(readLine(repeated[0]?.line ?? "", RECEIVED).repeat, 4);
});
