/**
 * Lines of `test/corpus`, each with what it must be read as:
 *
 *   Mar  3 18:00:01 mx1 dovecot: auth: passwd-file(bob,198.51.100.7): Password mismatch
 *   => {"at":"2026-03-03T18:00:01.000Z","form":"auth-password-mismatch","verdict":"failure",...}
 *
 * What the line does not tell is left out, and must be as `NOTHING` has it.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Reading } from "../../services/detection/dovecot/reading.ts";

const CORPUS = resolve(import.meta.dirname, "../corpus");

/** A reading as the corpus has it: JSON has no undefined, and the time is written out. */
export type WrittenReading = {
  [Field in keyof Reading]: undefined extends Reading[Field]
    ? Exclude<Reading[Field], undefined> | string | null
    : Reading[Field];
};

/** What is read of a line that is none of Dovecot's, and has no stamp. */
const NOTHING: WrittenReading = {
  at: null,
  hasZone: false,
  repeat: 1,
  form: null,
  verdict: "other",
  stage: null,
  address: null,
  attempts: 0,
  hidden: 0,
  begun: null,
  accepted: 0,
  isBrokenOff: false,
  user: null,
  service: null,
  session: null,
  seconds: null,
  refusedBy: null,
  isMaster: false,
  isUnknownHere: false,
  isNamed: false,
  isRight: false,
  hasMethod: false,
  showsPassword: false,
  isProxied: false,
  isUnrecognized: false,
};

export interface CorpusLine {
  line: string;
  expected: WrittenReading;
  /** The number of the line in its file. */
  number: number;
}

export function readLineCorpus(name: string): CorpusLine[] {
  const lines = readFileSync(join(CORPUS, name), "utf8").split("\n").slice(1, -1);
  return Array.from({ length: lines.length / 2 }, (_, index) => {
    const told = JSON.parse((lines[2 * index + 1] ?? "").slice(3)) as Partial<WrittenReading>;
    const expected = { ...NOTHING, ...told };
    return { line: lines[2 * index] ?? "", expected, number: 2 * index + 2 };
  });
}

/** The whole reading as the corpus has it. */
export function writeReading(reading: Reading): WrittenReading {
  const values = Object.entries({ ...NOTHING, ...reading }).map(([field, value]) => [
    field,
    value ?? null,
  ]);
  const written = Object.fromEntries(values) as WrittenReading;
  written.at = reading.at === undefined ? null : new Date(reading.at).toISOString();
  return written;
}
