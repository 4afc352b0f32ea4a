/**
 * What Dovecots of ours wrote, set up in many ways (`test/capture` made it), and how many
 * attempts each address really made.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createDetector } from "../../services/detection/dovecot-detector.ts";
import type { Failure } from "../../services/detection/attempts/failure.ts";
import { createLedger } from "../../services/detection/attempts/attempt-ledger.ts";
import { WithdrawnAttempts } from "../../services/detection/attempts/withdrawn-attempts.ts";
import { readLine } from "../../services/detection/dovecot/read-line.ts";
import type { Truth } from "../capture/truth.ts";
import { countWithFail2ban, type Accuracy } from "./captures.ts";

const FOLDER = resolve(import.meta.dirname, "../corpus/captures");
/** The two logs of one host: syslog writes what PAM says into the other one. */
const LOGS = ["mail.log", "auth.log"];
const READ_AT = Date.UTC(2026, 10, 25, 12);

interface LogLine {
  log: string;
  bytes: Buffer;
  at: number;
}

/**
 * in time: as they were written; one after another: first all of the one log, then all of the
 * other, as an agent may read them that was down.
 */
export type Order = "in time" | "one after another";

export function measureOwnCaptures(order: Order, { withPeer }: { withPeer: boolean }): Accuracy[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(".truth.jsonl"))
    .map((file) => {
      const name = file.replace(".truth.jsonl", "");
      const fail2ban = withPeer ? countWithFail2ban(join(FOLDER, `${name}.mail.log`)) : undefined;
      return { ...measureCapture(FOLDER, name, order), fail2ban };
    });
}

export function measureCapture(folder: string, name: string, order: Order): Accuracy {
  const truth = readFileSync(join(folder, `${name}.truth.jsonl`), "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Truth);
  const lines = LOGS.flatMap((log) => readLog(folder, name, log));
  if (order === "in time") lines.sort((a, b) => a.at - b.at);
  const counted = new Map<string, number>();
  const failures: Failure[] = [];
  const ledger = createLedger({ mode: "normal" });
  const detectors = new Map(LOGS.map((log) => [log, createDetector({ source: log, ledger })]));
  for (const { log, bytes } of lines) {
    failures.push(...(detectors.get(log)?.feed(bytes, 0, READ_AT) ?? []));
  }
  // What is provisional has been withdrawn by now, or never will be.
  const withdrawn = new WithdrawnAttempts();
  withdrawn.note(ledger.takeWithdrawn());
  for (const failure of failures) {
    const { address } = failure;
    counted.set(address, (counted.get(address) ?? 0) + withdrawn.attemptsLeft(failure));
  }
  const misses = truth
    .filter(([address, attempts, , fewest = attempts]) => {
      const own = counted.get(address) ?? 0;
      return own > attempts || own < fewest;
    })
    .map(([address, attempts, what]) => {
      return `${name} (${order}): ${address}, ${what}: ${counted.get(address) ?? 0} of ${attempts}`;
    });
  const known = new Set(truth.map(([address]) => address));
  const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);
  const strangers = [...counted].filter(([address]) => !known.has(address));
  return {
    file: name,
    actions: truth.length,
    exact: truth.length - misses.length,
    expected: sum(truth.map(([, attempts]) => attempts)),
    fewest: sum(truth.map(([, attempts, , fewest = attempts]) => fewest)),
    counted: sum([...counted.values()]),
    strangers: sum(strangers.map(([, attempts]) => attempts)),
    fail2ban: undefined,
    misses,
  };
}

function readLog(folder: string, name: string, log: string): LogLine[] {
  const path = join(folder, `${name}.${log}`);
  if (!existsSync(path)) return [];
  let at = 0;
  return readFileSync(path, "latin1")
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      at = Math.max(at, readLine(line, READ_AT).at ?? at);
      return { log, bytes: Buffer.from(`${line}\n`, "latin1"), at };
    });
}
