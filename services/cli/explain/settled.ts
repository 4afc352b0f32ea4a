/** Lines with the failure that they count, once no following login can withdraw that failure. */
import type { Ledger } from "../../detection/attempts/attempt-ledger.ts";
import type { Failure } from "../../detection/attempts/failure.ts";
import { WithdrawnAttempts } from "../../detection/attempts/withdrawn-attempts.ts";
import type { InputLine } from "./input.ts";

export interface SettledLine {
  line: InputLine;
  counted: Failure | undefined;
}

export interface Counting {
  /** The ledger of the host whose line it is. */
  ledgerOf: (line: InputLine) => Ledger;
  count: (line: InputLine, ledger: Ledger) => Failure | undefined;
}

interface CountedLine extends SettledLine {
  ledger: Ledger;
}

/** A provisional attempt is settled by a line that is this much later, by the times of the lines. */
const SETTLED_AFTER_MS = 5_000;
/** Lines without a stamp settle nothing. When more lines than this wait, the first is taken as it is. */
const MOST_LINES = 10_000;

export async function* settled(
  lines: AsyncIterable<InputLine>,
  { ledgerOf, count }: Counting,
): AsyncGenerator<SettledLine> {
  const withdrawn = new WithdrawnAttempts();
  const waiting: CountedLine[] = [];
  let isWaiting = false;
  let [latest, first] = [-Infinity, 0];

  const canGo = ({ counted }: SettledLine) =>
    !counted?.provisional ||
    counted.at + SETTLED_AFTER_MS < latest ||
    waiting.length - first > MOST_LINES;

  for await (const line of lines) {
    const ledger = ledgerOf(line);
    const counted = count(line, ledger);
    withdrawn.note(ledger.takeWithdrawn());
    latest = Math.max(latest, line.reading.at ?? latest);
    if (!isWaiting && !counted?.provisional) {
      yield { line, counted };
      continue;
    }
    isWaiting = true;
    waiting.push({ line, counted, ledger });
    for (let next = waiting[first]; next && canGo(next); next = waiting[first]) {
      first += 1;
      yield settle(next, withdrawn);
    }
    if (first === waiting.length) isWaiting = false;
    if (!isWaiting || first > MOST_LINES) {
      waiting.splice(0, first);
      first = 0;
    }
  }
  for (const next of waiting.slice(first)) yield settle(next, withdrawn);
}

function settle({ line, counted, ledger }: CountedLine, withdrawn: WithdrawnAttempts): SettledLine {
  if (!counted?.provisional) return { line, counted };
  ledger.settle(counted.provisional);
  const attempts = withdrawn.attemptsLeft(counted);
  const certain = { ...counted, attempts, provisional: undefined };
  return { line, counted: attempts === 0 ? undefined : certain };
}
