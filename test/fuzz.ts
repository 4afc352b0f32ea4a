/**
 * npm run fuzz -- --minutes 10 [--seed 7] [--format auth-2.4.txt]
 *
 * Makes lines of every format that Dovecot and PAM are known to write, with hostile text in every
 * part that a client chooses, and holds the parser to what is true of each (test/corpus/formats).
 * Prints one simplest line for each kind of fault and format. The exit code is 1 if there is one.
 */
import { parseArgs } from "node:util";
import { choicesOfSeed, pick } from "./harness/line-formats/choices.ts";
import { FORMATS } from "./harness/line-formats/format-table.ts";
import { chooseHostileLine, spell } from "./harness/line-formats/hostile-line.ts";
import { describeDifference, findFault, simplify } from "./harness/line-formats/judge.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string", default: String(Date.now() % 2 ** 32) },
    format: { type: "string", default: "" },
  },
});
const formats = FORMATS.filter(({ name }) => name.startsWith(values.format));
if (formats.length === 0) throw new Error(`--format ${values.format}: no format's name begins so`);

const seed = Number(values.seed);
const choices = choicesOfSeed(seed);
const limitMicros = Number(values.minutes) * 60_000_000;
const found = new Map<string, { count: number; line: string }>();
let lines = 0;
const cpuMicros = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

process.stdout.write(`seed ${seed}, ${formats.length} formats, ${values.minutes} CPU-minutes\n`);
while (lines % 512 !== 0 || cpuMicros() < limitMicros) {
  const line = chooseHostileLine(pick(choices, formats), choices);
  lines += 1;
  const fault = findFault(line);
  if (fault === undefined) continue;
  const kind = `${fault}: ${line.skeleton.format.name}`;
  const seen = found.get(kind);
  if (seen) seen.count += 1;
  else {
    const simplest = simplify(line, fault);
    found.set(kind, { count: 1, line: `${spell(simplest)}\n  ${describeDifference(simplest)}` });
  }
}

for (const [kind, { count, line }] of [...found].sort(([a], [b]) => (a < b ? -1 : 1))) {
  process.stdout.write(`\n${kind} (${count} times)\n  ${line}\n`);
}
process.stdout.write(`\n${lines} lines tried, ${found.size} kinds of fault, seed ${seed}\n`);
process.exitCode = found.size > 0 ? 1 : 0;
