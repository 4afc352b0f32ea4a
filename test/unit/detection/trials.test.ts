import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { createLedger } from "../../../services/detection/attempts/attempt-ledger.ts";
import { createDetector } from "../../../services/detection/dovecot-detector.ts";
import { LOCAL_LOG } from "../../../services/detection/lines/log-facts.ts";
import { zoneOrLocal } from "../../../services/detection/lines/zone.ts";

const TRIALS = resolve(import.meta.dirname, "../../../../shared/trials/lines.jsonl");

interface Trial {
  id: string;
  lines: string[];
  /** The zone of the machine that reads them; without one, UTC. */
  tz?: string;
  expect: {
    failures: number;
    address: string | null;
    /** null: the lines name nobody, or it does not matter. */
    user: string | null;
    /** When, in UTC, where it matters. */
    at?: string;
  };
}

const readTrials = (): Trial[] =>
  readFileSync(TRIALS, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Trial);

test(
  "lines from public reports count as many failures as they tell of, of whom, and when",
  { skip: !existsSync(TRIALS) && "needs the lines of public reports" },
  () => {
    for (const { id, lines, tz = "UTC", expect } of readTrials()) {
      const detector = createDetector({
        source: "mail",
        ledger: createLedger({ mode: "normal" }),
        log: { ...LOCAL_LOG, zone: zoneOrLocal(tz) },
      });
      const failures = detector.feed(
        Buffer.from(`${lines.join("\n")}\n`),
        0,
        Date.UTC(2026, 10, 29),
      );
      const attempts = failures.reduce((total, failure) => total + failure.attempts, 0);
      assert.equal(attempts, expect.failures, `${id}: ${lines[0] ?? ""}`);
      for (const { address, user, at } of failures) {
        assert.equal(address, expect.address, id);
        if (expect.user !== null) assert.equal(user, expect.user, id);
        if (expect.at !== undefined)
          assert.ok(new Date(at).toISOString().startsWith(expect.at), id);
      }
    }
  },
);
