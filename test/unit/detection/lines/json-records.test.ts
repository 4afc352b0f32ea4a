import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readLine } from "../../../../services/detection/dovecot/read-line.ts";
import { splitRecords } from "../../../../services/detection/lines/json-records.ts";

const NOW = Date.UTC(2026, 10, 24);
const LENGTH = 12_000;

const PIECES = [
  ...["{", "}", "[", "]", '"', "\\", '\\"', '""', "{}", "}{", "a", ",", " "],
  ...['{"', '{"a":', '{"a":1,', '{"a":[', '[{"', '{"\\', '{"" ', '"},{"', '{"log":"x"}'],
  ...['{"log":"auth: x"}', '{"streams":[', '{"labels":', '["1","a"],'],
];
const piece = fc.constantFrom(...PIECES);
const few = fc.array(piece, { maxLength: 4 }).map((parts) => parts.join(""));

/** One piece again and again, with a few others before and behind it. */
const hostileJson = fc
  .tuple(fc.constantFrom("{", "[", '{"', '{"streams":['), few, piece, few)
  .map(([first, before, repeated, behind]) => {
    const head = first + before;
    const count = Math.floor((LENGTH - head.length - behind.length) / repeated.length);
    return head + repeated.repeat(count) + behind;
  });

/** A call of a pattern takes as long as a walk over so many characters. */
const CALL = 12;

/**
 * The work of `act`: characters that are looked at one by one, or that JSON looks at, and calls of
 * patterns. A mock would remember every call.
 */
function measureWork(act: () => void): number {
  const { charCodeAt } = String.prototype;
  const { exec } = RegExp.prototype;
  const { parse, stringify } = JSON;
  let work = 0;
  String.prototype.charCodeAt = function (index) {
    work += 1;
    return charCodeAt.call(this, index);
  };
  RegExp.prototype.exec = function (text) {
    work += CALL;
    return exec.call(this, text);
  };
  JSON.parse = (text: string) => {
    work += text.length;
    return parse(text) as unknown;
  };
  JSON.stringify = (value: unknown) => {
    const text = stringify(value);
    work += text.length;
    return text;
  };
  try {
    act();
  } finally {
    String.prototype.charCodeAt = charCodeAt;
    RegExp.prototype.exec = exec;
    Object.assign(JSON, { parse, stringify });
  }
  return work;
}

test("no JSON, whole or broken, is looked at more than twelve times", () => {
  fc.assert(
    fc.property(hostileJson, (line) => {
      const work = measureWork(() => readLine(line, NOW));
      assert.ok(work <= 12 * line.length, `${work / line.length} times`);
    }),
    { numRuns: 150 },
  );
});

test("a push of many values is read without reading its many labels for each of them", () => {
  const labels = Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`l${index}`, 1]));
  const values = Array.from({ length: 500 }, (_, index) => [String(index), "a"]);
  const line = JSON.stringify({ streams: [{ stream: labels, values }] });
  const work = measureWork(() => readLine(line, NOW));
  assert.ok(work <= 12 * line.length, `${work / line.length} times`);
  const records = splitRecords(line) as object[];
  assert.equal(records.length, 64);
  assert.equal(new Set(records.flatMap((record) => Object.keys(record))).size, 4);
});

test("objects and arrays that nest 30,000 deep are no line's record, and stop no agent", () => {
  const arrays = "[".repeat(30_000) + "]".repeat(30_000);
  const objects = (name: string) => `{"${name}":`.repeat(5_900) + "1" + "}".repeat(5_900);
  const lines = [arrays, `[{"log":"auth: x"},${arrays}]`, objects("labels"), objects("stream")];
  for (const line of lines) assert.equal(readLine(line, NOW).form, null);
});
