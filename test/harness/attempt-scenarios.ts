/**
 * Scenarios of `test/corpus/attempts`: log lines, and what each of them changes.
 *
 *   # Why this is counted so.
 *   2026-03-03T18:00:01.000000+00:00 mx1 dovecot: auth: passwd-file(bob,198.51.100.7,...): ...
 *   => provisional 198.51.100.7 1
 *   2026-03-03T18:00:01.100000+00:00 mx1 dovecot: imap-login: Login: user=<bob>, ...
 *   => withdrawn 198.51.100.7 1
 *
 * A line without `=>` behind it changes nothing. All lines are of one log.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createDetector } from "../../services/detection/dovecot-detector.ts";
import { createLedger } from "../../services/detection/attempts/attempt-ledger.ts";
import type { Provisional } from "../../services/detection/attempts/provisional.ts";

export const SCENARIOS = resolve(import.meta.dirname, "../corpus/attempts");

export interface Scenario {
  name: string;
  why: string;
  /** Log lines, each with what it is expected to change. */
  steps: readonly { line: string; expected: readonly string[] }[];
}

export function readScenarios(): Scenario[] {
  return readdirSync(SCENARIOS)
    .filter((file) => file.endsWith(".txt"))
    .map((file) => readScenario(file));
}

function readScenario(file: string): Scenario {
  const [why = "", ...rest] = readFileSync(join(SCENARIOS, file), "utf8").trimEnd().split("\n");
  const steps: { line: string; expected: string[] }[] = [];
  for (const text of rest) {
    if (text.startsWith("=> ")) steps.at(-1)?.expected.push(text.slice(3));
    else steps.push({ line: text, expected: [] });
  }
  return { name: file.replace(".txt", ""), why: why.slice(2), steps };
}

/** What each line of the scenario really changes, in the words of the files. */
export function playScenario({ steps }: Scenario): string[][] {
  const ledger = createLedger({ mode: "normal" });
  const detector = createDetector({ source: "mail", ledger });
  const addresses = new Map<Provisional, string>();
  let position = 0;
  return steps.map(({ line }) => {
    const changes: string[] = [];
    const bytes = Buffer.from(`${line}\n`);
    const failures = detector.feed(bytes, position, Date.UTC(2026, 2, 4));
    position += bytes.length;
    const withdrawn = new Map<Provisional, number>();
    for (const each of ledger.takeWithdrawn()) withdrawn.set(each, (withdrawn.get(each) ?? 0) + 1);
    for (const [each, attempts] of withdrawn) {
      changes.push(`withdrawn ${addresses.get(each)} ${attempts}`);
    }
    for (const { address, attempts, provisional } of failures) {
      changes.push(`${provisional ? "provisional" : "counted"} ${address} ${attempts}`);
      if (provisional) addresses.set(provisional, address);
    }
    return changes;
  });
}
