import assert from "node:assert/strict";
import { test } from "node:test";
import { stepsOf } from "../../../../services/coordinator/history/failure-series.ts";
import { beginOf, PERIODS } from "../../../../services/web/browser/text/periods.ts";

const DAY_MS = 86_400_000;
const NOW = Date.parse("2026-11-30T12:34:56.789Z");

for (const period of PERIODS) {
  test(`a chart of ${period.words} begins with the period, so that it counts what tables count`, () => {
    for (let later = 0; later < 3 * DAY_MS; later += 7 * 60_001) {
      const until = NOW + later;
      const since = Date.parse(beginOf(period, until));
      const steps = stepsOf({ since, until });
      assert.equal(steps.since, since);
      assert.equal(steps.stepMs, period.stepMs);
      assert.ok(since <= until - period.ms && since > until - period.ms - period.stepMs);
    }
  });
}
