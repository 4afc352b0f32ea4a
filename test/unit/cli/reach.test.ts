import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { createOutput } from "../../../services/cli/output.ts";
import { formatMs, nameFirst, reportReach } from "../../../services/cli/reach.ts";
import type { Reach } from "../../../services/wire/reach.ts";

const NOWHERE: Reach = {
  inForce: [],
  missing: [],
  dryRun: [],
  ineffective: [],
  refused: [],
  applied: [],
  down: [],
  counts: {
    live: 0,
    inForce: 0,
    missing: 0,
    dryRun: 0,
    ineffective: 0,
    refused: 0,
    applied: 0,
    down: 0,
  },
  slowestMs: null,
};
const ON_ONE: Reach = {
  ...NOWHERE,
  inForce: ["mx1"],
  applied: [{ host: "mx1", ms: 8 }],
  counts: { ...NOWHERE.counts, live: 1, inForce: 1, applied: 1 },
  slowestMs: 8,
};

function outputToStrings() {
  const { stdout, stderr } = { stdout: new PassThrough(), stderr: new PassThrough() };
  return { output: createOutput({ stdout, stderr, environment: {} }), stdout, stderr };
}

test("of very many hosts the first are named, and the others are counted", () => {
  const names = Array.from({ length: 100 }, (_, index) => `mx${index}`);
  const missing = { ...ON_ONE.counts, missing: 9_999, live: 10_000 };
  const { output, stdout } = outputToStrings();
  assert.throws(
    () =>
      reportReach({ output }, "ban add", {
        reach: { ...ON_ONE, missing: names, counts: missing },
        change: "in force",
        json: undefined,
      }),
    /^PlainError: ban add: not in force everywhere: no report in time from mx0, .*, mx19 and 9979 more; see/,
  );
  assert.equal(String(stdout.read()), "in force on 1/10000 hosts after 8 ms\n");
  assert.equal(nameFirst(["mx1", "mx2"], 2), "mx1, mx2");
});

test("times are shown in the unit that people read", () => {
  assert.deepEqual([0.44, 8.4, 999, 1234].map(formatMs), ["0.4 ms", "8 ms", "999 ms", "1.2 s"]);
});

test("where the answer is JSON, how far it has come is not said in words, too", () => {
  const { output, stdout } = outputToStrings();
  reportReach({ output }, "ban remove", { reach: ON_ONE, change: "lifted", json: undefined });
  reportReach({ output }, "ban remove", { reach: ON_ONE, change: "lifted", json: true });
  assert.equal(String(stdout.read()), "lifted on 1/1 hosts after 8 ms\n");
});
