/** The lines of a log that the agent would count, so that somebody can see that it would. */
import { createDetector } from "../../detection/dovecot-detector.ts";
import { createLedger } from "../../detection/attempts/attempt-ledger.ts";
import { zoneOrLocal } from "../../detection/lines/zone.ts";
import { writersOf } from "../report/source-detector.ts";
import { journalArguments } from "../../process/journal.ts";
import type { Target } from "./find-dovecot.ts";
import type { Lookups } from "./lookups.ts";

export interface CountedLines {
  /** How many lines were looked at; undefined: the log cannot be read. */
  looked: number | undefined;
  /** The last of those that count. */
  lines: { line: string; attempts: number; address: string }[];
}

const SHOWN = 10;
const JOURNAL_LINES = 20_000;

export async function countedLines(
  target: Target,
  { run, tail }: Pick<Lookups, "run" | "tail">,
  now: number,
): Promise<CountedLines> {
  const lines = target.kind === "file" ? tail(target.path) : await journalLines(target, run);
  if (!lines) return { looked: undefined, lines: [] };
  const container = target.kind === "container" ? target.name : undefined;
  const log = {
    zone: zoneOrLocal(undefined),
    ...writersOf({ container, match: undefined, instance: undefined }),
  };
  const ledger = createLedger({ mode: "normal", canWait: true });
  const detector = createDetector({ source: "setup", ledger, log });
  const counted: CountedLines["lines"] = [];
  let position = 0;
  for (const line of lines) {
    const bytes = Buffer.from(`${line}\n`, "latin1");
    for (const { attempts, address } of detector.feed(bytes, position, now)) {
      counted.push({ line: bytes.toString("utf8").trimEnd(), attempts, address });
    }
    position += bytes.length;
    if (counted.length > 2 * SHOWN) counted.splice(0, SHOWN);
  }
  return { looked: lines.length, lines: counted.slice(-SHOWN) };
}

async function journalLines(
  target: Exclude<Target, { kind: "file" }>,
  run: Lookups["run"],
): Promise<string[] | undefined> {
  const selection = target.kind === "journal" ? { unit: target.unit } : { container: target.name };
  const args = journalArguments(selection, [`--lines=${JOURNAL_LINES}`]);
  const printed = await run("journalctl", ...args);
  if (printed === undefined) return undefined;
  return printed === "" ? [] : Buffer.from(printed, "utf8").toString("latin1").split("\n");
}
