import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { createLedger } from "../../../services/detection/attempts/attempt-ledger.ts";
import { createDetector } from "../../../services/detection/dovecot-detector.ts";

const TRIALS = resolve(import.meta.dirname, "../../../../shared/trials/lines.jsonl");

interface Trial {
  id: string;
  lines: string[];
  expect: { failures: number; address: string | null };
}

test(
  "lines from public reports count as many failures as they tell of",
  { skip: !existsSync(TRIALS) && "needs the lines of public reports" },
  () => {
    const trials = readFileSync(TRIALS, "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Trial);
    for (const { id, lines, expect } of trials) {
      const ledger = createLedger({ mode: "normal" });
      const detector = createDetector({ source: "mail", ledger });
      const failures = detector.feed(
        Buffer.from(`${lines.join("\n")}\n`),
        0,
        Date.UTC(2026, 10, 29),
      );
      const attempts = failures.reduce((total, failure) => total + failure.attempts, 0);
      assert.equal(attempts, expect.failures, `${id}: ${lines[0] ?? ""}`);
      for (const { address } of failures) assert.equal(address, expect.address, id);
    }
  },
);
