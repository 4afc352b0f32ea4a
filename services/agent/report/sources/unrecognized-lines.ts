/**
 * Lines of Dovecot that look like an attempt and that no form knows: what is not understood is not
 * counted, and must be said. An attacker may write such lines, too, so nothing here grows with them.
 */
import { redact } from "../../../detection/lines/redact.ts";

export interface UnrecognizedLines {
  note(line: string): void;
  /** Since the start. */
  readonly total: number;
  /** Of the last hour, with the last line, redacted; undefined: no more than a few. */
  recent(): { count: number; sample: string } | undefined;
}

/** A few lines may be of a new version's rare forms, or of a client that plays with us. */
const FEW = 5;
const SLOT_MS = 300_000;
/** An hour in slots of five minutes. */
const SLOTS = 12;

export function createUnrecognizedLines(now: () => number): UnrecognizedLines {
  let total = 0;
  let last = "";
  /** Lines in each of the last slots of time, the present one last. */
  let slots: { number: number; count: number }[] = [];

  function present(): number {
    const number = Math.floor(now() / SLOT_MS);
    slots = slots.filter((slot) => slot.number > number - SLOTS && slot.number <= number);
    return number;
  }

  return {
    note(line) {
      total += 1;
      last = line;
      const number = present();
      const slot = slots.at(-1);
      if (slot?.number === number) slot.count += 1;
      else slots.push({ number, count: 1 });
    },
    get total() {
      return total;
    },
    recent() {
      present();
      const count = slots.reduce((sum, slot) => sum + slot.count, 0);
      return count > FEW ? { count, sample: redact(last) } : undefined;
    },
  };
}
