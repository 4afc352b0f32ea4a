import assert from "node:assert/strict";
import { test } from "node:test";
import { playScenario, readScenarios } from "../../../harness/attempt-scenarios.ts";

const scenarios = readScenarios();

for (const scenario of scenarios) {
  test(`corpus/attempts/${scenario.name}.txt: ${scenario.why}`, () => {
    const expected = scenario.steps.map((step) => step.expected);
    assert.deepEqual(playScenario(scenario), expected);
  });
}

test("every scenario says why, and has lines", () => {
  assert.ok(scenarios.length > 20);
  for (const { name, why, steps } of scenarios)
    assert.ok(why.length > 20 && steps.length > 0, name);
});
