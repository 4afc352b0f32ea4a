/** Captures of real Dovecot runs and what is known to have happened in them. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { createDetector } from "../../services/detection/dovecot-detector.ts";
import type { Failure } from "../../services/detection/attempts/failure.ts";
import { createLedger } from "../../services/detection/attempts/attempt-ledger.ts";
import { WithdrawnAttempts } from "../../services/detection/attempts/withdrawn-attempts.ts";

const SHARED = resolve(import.meta.dirname, "../../../shared");

/** The sets of captures, each with an `expected.jsonl`. */
export const CAPTURE_SETS = ["real-dovecot", "captures"] as const;

/** The folder of a set; undefined where it is not. */
export function captureFolder(set: (typeof CAPTURE_SETS)[number]): string | undefined {
  const folder = resolve(SHARED, set);
  return existsSync(folder) ? folder : undefined;
}

interface Action {
  file: string;
  /** Lines of the file that it caused, counted from 1. */
  first: number;
  last: number;
  action: string;
  src: string;
  /** null: not judged. */
  attempts: number | null;
}

export interface Accuracy {
  file: string;
  actions: number;
  exact: number;
  /** Where the truth leaves it open how many attempts there were: the most and the fewest. */
  expected: number;
  fewest: number;
  counted: number;
  /** Attempts counted for an address that made none of them. */
  strangers: number;
  /** Lines that fail2ban's own filter counts; undefined where it is not installed. */
  fail2ban: number | undefined;
  /** What was not exact, in words. */
  misses: string[];
}

export function measureAccuracy(folder: string, { withPeer }: { withPeer: boolean }): Accuracy[] {
  const actions = readFileSync(resolve(folder, "expected.jsonl"), "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Action);
  const files = [...new Set(actions.map(({ file }) => file))];
  return files.map((file) => {
    const own = actions.filter((action) => action.file === file);
    const fail2ban = withPeer ? countWithFail2ban(resolve(folder, file)) : undefined;
    return { ...measureFile(folder, file, own), fail2ban };
  });
}

/** The whole file goes through one detector, in order, as an agent reads it. */
function measureFile(folder: string, file: string, actions: readonly Action[]): Accuracy {
  const bytes = readFileSync(resolve(folder, file));
  const ledger = createLedger({ mode: "normal" });
  const detector = createDetector({ source: file, ledger });
  const failures = detector.feed(bytes, 0, Date.UTC(2026, 10, 25));
  const withdrawn = new WithdrawnAttempts();
  withdrawn.note(ledger.takeWithdrawn());
  const left = (failure: Failure) => withdrawn.attemptsLeft(failure);
  const ends = lineEnds(bytes);
  const result: Accuracy = {
    file,
    actions: 0,
    exact: 0,
    expected: 0,
    fewest: 0,
    counted: 0,
    strangers: 0,
    fail2ban: undefined,
    misses: [],
  };
  for (const action of actions) {
    const expected = action.attempts;
    if (expected === null) continue;
    const from = ends[action.first - 2] ?? 0;
    const to = ends[action.last - 1] ?? bytes.length;
    const own = failures.filter(({ position }) => position > from && position <= to);
    const isSource = ({ address }: { address: string }) => address === action.src;
    const sum = (of: readonly Failure[]) => of.reduce((total, failure) => total + left(failure), 0);
    const counted = sum(own.filter(isSource));
    const strangers = own.filter((failure) => !isSource(failure) && left(failure) > 0);
    result.actions += 1;
    result.expected += expected;
    result.fewest += expected;
    result.counted += counted;
    result.strangers += sum(strangers);
    if (counted === expected && strangers.length === 0) result.exact += 1;
    else result.misses.push(`${file}:${action.first}: ${action.action}: ${counted} of ${expected}`);
  }
  return result;
}

function lineEnds(bytes: Buffer): number[] {
  const ends: number[] = [];
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) ends.push(at + 1);
  return ends;
}

export function countWithFail2ban(path: string): number | undefined {
  try {
    const output = execFileSync("fail2ban-regex", [path, "dovecot"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return Number(/, (\d+) matched,/.exec(output)?.[1] ?? 0);
  } catch {
    return undefined; // it is not installed
  }
}
