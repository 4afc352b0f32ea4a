/**
 * npm run mutate [-- --sample 300] [FILE...]
 *
 * How good are the tests of the parser? Every mutant changes one thing in one of its files: a
 * condition, a comparison, a number, a text, a piece of a pattern, an entry of a table, a statement
 * that is gone. A mutant is killed when a test fails on it. Prints the mutants that survived, and
 * the share of those killed for every file, of all mutants or of a sample that is always the same.
 */
import { fork } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { choicesOfSeed } from "./harness/line-formats/choices.ts";
import { bundleMutants } from "./mutation/bundle.ts";
import type { Mutant } from "./mutation/mutants.ts";

const ROOT = resolve(import.meta.dirname, "..");
const PARSER = join(ROOT, "services/detection/dovecot");
/**
 * All but properties of random lines: they take seconds for every mutant that survives, and some of
 * them are sure only after many lines.
 */
const TESTS = [
  "dovecot/lines",
  "attempts/scenarios",
  "dovecot/login-elements",
  "attempts/holds",
].map((name) => join(ROOT, `test/unit/detection/${name}.test.ts`));
/** The tests stop a mutant that loops, long before this. */
const LIMIT_MS = 300_000;

const { values, positionals } = parseArgs({
  options: { sample: { type: "string" } },
  allowPositionals: true,
});
const named = positionals.map((file) => resolve(file));
const all = readdirSync(PARSER)
  .filter((file) => file.endsWith(".ts"))
  .map((file) => join(PARSER, file));
const folder = mkdtempSync(join(tmpdir(), "fleetban-mutants-"));

/** Tells `seen` of these mutants in order, until one of them stops the process. */
function runOn(path: string, ids: readonly number[], seen: (id: number, killer?: string) => void) {
  return new Promise<void>((settle) => {
    const child = fork(join(ROOT, "test/mutation/mutant-process.ts"), [path, ...ids.map(String)], {
      execArgv: ["--import", "tsx"],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const stop = () => child.kill("SIGKILL");
    let timer = setTimeout(stop, LIMIT_MS);
    child.on("message", ({ id, killer }: { id: number; killer?: string }) => {
      clearTimeout(timer);
      timer = setTimeout(stop, LIMIT_MS);
      seen(id, killer);
    });
    child.on("exit", () => {
      clearTimeout(timer);
      settle();
    });
  });
}

/** Who killed which mutant. */
async function runAll(path: string, mutants: readonly Mutant[]): Promise<Map<number, string>> {
  const killers = new Map<number, string>();
  let rest = mutants.map(({ id }) => id);
  while (rest.length > 0) {
    let done = 0;
    await runOn(path, rest, (id, killer) => {
      if (id === 0 && killer !== undefined) {
        throw new Error(`without a mutant a test fails: ${killer}`);
      }
      if (id === 0) return;
      done += 1;
      if (killer !== undefined) killers.set(id, killer);
      const count = mutants.length - rest.length + done;
      if (count % 100 === 0) process.stderr.write(`${count} of ${mutants.length}\n`);
    });
    const stuck = rest[done];
    if (stuck !== undefined) killers.set(stuck, "time");
    rest = rest.slice(done + 1);
  }
  return killers;
}

/** Of all files alike; in the order of the files. */
function sampleOf(mutants: readonly Mutant[], size: number): readonly Mutant[] {
  const choices = choicesOfSeed(7);
  const drawn = mutants.map((mutant) => ({ mutant, key: choices.below(2 ** 32) }));
  const taken = drawn.sort((a, b) => a.key - b.key).slice(0, size);
  return taken.map(({ mutant }) => mutant).sort((a, b) => a.id - b.id);
}

const share = (killed: number, tried: number): string =>
  `${killed} of ${tried} killed: ${((100 * killed) / tried).toFixed(1)} %`;

function printScores(tried: readonly Mutant[], killers: ReadonlyMap<number, string>): void {
  for (const file of new Set(tried.map(({ place }) => fileOf(place)))) {
    const mutants = tried.filter(({ place }) => fileOf(place) === file);
    const killed = mutants.filter(({ id }) => killers.has(id)).length;
    process.stdout.write(`${file.padEnd(20)} ${share(killed, mutants.length)}\n`);
  }
}

const fileOf = (place: string): string => place.slice(0, place.indexOf(":"));

try {
  const sources = named.length > 0 ? named : all;
  const { mutants, path } = await bundleMutants(sources, TESTS, join(folder, "tests.cjs"));
  const tried = sampleOf(mutants, Number(values.sample ?? mutants.length));
  const killers = await runAll(path, tried);
  for (const { id, place, change } of tried) {
    if (!killers.has(id)) process.stdout.write(`survived  ${place}  ${change}\n`);
  }
  printScores(tried, killers);
  process.stdout.write(
    `${tried.length} of ${mutants.length} mutants tried, ${share(killers.size, tried.length)}\n`,
  );
} finally {
  rmSync(folder, { recursive: true });
}
