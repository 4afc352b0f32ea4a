/** The summary of a whole log: lines, attempts, forms and addresses. */
import type { Address } from "../../wire/address.ts";
import type { Failure } from "../../detection/attempts/failure.ts";
import type { Reading } from "../../detection/dovecot/reading.ts";
import type { Cell } from "../table.ts";

export interface Summary {
  /** Lines in all, and those that say something. */
  lines(): { all: number; known: number };
  add(reading: Reading, counted: Failure | undefined): void;
  /** Tables with their heads, to be printed one after the other. */
  totals(): Cell[][];
  forms(): Cell[][];
  /** The addresses with the most attempts, at most `limit` of them, and how many there are. */
  addresses(limit: number): { rows: Cell[][]; total: number };
}

/** `whatIsKnown`: what the summary calls the lines that were understood. */
export function createSummary(whatIsKnown: string): Summary {
  let [lines, known, attempts, successes, unrecognized] = [0, 0, 0, 0, 0];
  const forms = new Map<string, { lines: number; attempts: number }>();
  const addresses = new Map<Address, number>();
  return {
    add({ form, verdict, isUnrecognized }, counted) {
      lines += 1;
      if (isUnrecognized) unrecognized += 1;
      if (form === null) return;
      known += 1;
      if (verdict === "success") successes += 1;
      const own = forms.get(form) ?? { lines: 0, attempts: 0 };
      own.lines += 1;
      own.attempts += counted?.attempts ?? 0;
      forms.set(form, own);
      if (!counted) return;
      attempts += counted.attempts;
      addresses.set(counted.address, (addresses.get(counted.address) ?? 0) + counted.attempts);
    },
    lines: () => ({ all: lines, known }),
    totals: () => [
      ["lines", String(lines)],
      [whatIsKnown, String(known)],
      ["failed attempts counted", String(attempts)],
      ["addresses they came from", String(addresses.size)],
      ["successful logins", String(successes)],
      ...(unrecognized === 0 ? [] : [["not understood, see --unrecognized", String(unrecognized)]]),
    ],
    forms: () => [
      ["FORM", "LINES", "ATTEMPTS"],
      ...[...forms]
        .sort(([, a], [, b]) => b.attempts - a.attempts || b.lines - a.lines)
        .map(([form, own]) => [form, String(own.lines), String(own.attempts)]),
    ],
    addresses(limit) {
      const sorted = [...addresses].sort(([, a], [, b]) => b - a);
      const rows = sorted.slice(0, limit).map(([address, count]) => [address, String(count)]);
      return { rows: [["ADDRESS", "ATTEMPTS"], ...rows], total: addresses.size };
    },
  };
}
