/** Lines with the failure that they count, once no following login can withdraw that failure. */
import { attemptsOf, type Failure } from "../../detection/attempts/failure.ts";
import type { InputLine } from "./input.ts";

export interface SettledLine {
  line: InputLine;
  counted: Failure | undefined;
}

/** A provisional attempt is settled by a line that is this much later, by the times of the lines. */
const SETTLED_AFTER_MS = 5_000;
/** Lines without a stamp settle nothing. When more lines than this wait, the first is taken as it is. */
const MOST_LINES = 10_000;

export async function* settled(
  lines: AsyncIterable<InputLine>,
  count: (line: InputLine) => Failure | undefined,
): AsyncGenerator<SettledLine> {
  const waiting: SettledLine[] = [];
  let isHeld = false;
  let [latest, first] = [-Infinity, 0];

  const canGo = ({ counted }: SettledLine) =>
    !counted?.hold || counted.at + SETTLED_AFTER_MS < latest || waiting.length - first > MOST_LINES;

  for await (const line of lines) {
    const each = { line, counted: count(line) };
    latest = Math.max(latest, line.reading.at ?? latest);
    if (!isHeld && !each.counted?.hold) {
      yield each;
      continue;
    }
    isHeld = true;
    waiting.push(each);
    for (let next = waiting[first]; next && canGo(next); next = waiting[first]) {
      first += 1;
      yield settle(next);
    }
    if (first === waiting.length) isHeld = false;
    if (!isHeld || first > MOST_LINES) {
      waiting.splice(0, first);
      first = 0;
    }
  }
  for (const each of waiting.slice(first)) yield settle(each);
}

function settle({ line, counted }: SettledLine): SettledLine {
  if (!counted?.hold) return { line, counted };
  counted.hold.isOver = true;
  const attempts = attemptsOf(counted);
  return { line, counted: attempts === 0 ? undefined : { ...counted, attempts, hold: undefined } };
}
