/**
 * Runs the tests on one mutant after another, and tells its parent which test has failed. The code is
 * compiled once; for every mutant the modules are evaluated anew, because tables are made then. The
 * tests that kill most mutants in a second come first, and the first failure ends a mutant's turn.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { performance } from "node:perf_hooks";
import { Script } from "node:vm";
import fc from "fast-check";

interface Test {
  name: string;
  body: (context: object) => unknown;
}
interface Record {
  kills: number;
  ms: number;
  /** What the test takes without a mutant; before that is known, a long time. */
  usualMs: number;
}

const [path = "", ...ids] = process.argv.slice(2);
const requireOfNode = createRequire(import.meta.url);
const requireInBundle = (name: string): unknown =>
  name.includes("fast-check") ? { __esModule: true, default: fc } : requireOfNode(name);
const evaluate = new Script(
  `(function (MUTANT, TESTS, require) {${readFileSync(path, "utf8")}\n})`,
).runInThisContext() as (id: number, tests: Test[], load: typeof requireInBundle) => void;

const global = globalThis as unknown as { TURN: () => unknown };
const runTurn = new Script("TURN()");
const records = new Map<string, Record>();

const recordOf = ({ name }: Test): Record => {
  const record = records.get(name) ?? { kills: 0, ms: 1, usualMs: 10_000 };
  records.set(name, record);
  return record;
};
const killsPerMs = (test: Test): number => recordOf(test).kills / recordOf(test).ms;

/** Throws where the test fails. A mutant may never end: it is stopped after many times the usual time. */
function runTest(test: Test): void {
  global.TURN = () => test.body({});
  const result: unknown = runTurn.runInThisContext({
    timeout: 3_000 + Math.ceil(10 * recordOf(test).usualMs),
  });
  if (result instanceof Promise) throw new Error(`${test.name} is not synchronous`);
}

/** The name of the first test that fails. */
function firstFailure(id: number): string | undefined {
  const tests: Test[] = [];
  try {
    evaluate(id, tests, requireInBundle);
  } catch {
    return "loading";
  }
  tests.sort((a, b) => killsPerMs(b) - killsPerMs(a));
  for (const test of tests) {
    const record = recordOf(test);
    const start = performance.now();
    try {
      runTest(test);
    } catch {
      record.kills += 1;
      return test.name;
    } finally {
      const ms = performance.now() - start;
      record.ms += ms;
      if (id === 0) record.usualMs = ms;
    }
  }
  return undefined;
}

// The same properties for every mutant, and no time lost for making a failure small.
fc.configureGlobal({ seed: 7, endOnFailure: true });
const broken = firstFailure(0);
process.send?.({ id: 0, killer: broken });
if (broken === undefined) {
  for (const id of ids.map(Number)) process.send?.({ id, killer: firstFailure(id) });
}
