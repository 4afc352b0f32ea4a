/**
 * npm run mutate [-- --sample 300] [FILE...]
 *
 * How good are the tests of the parser? Every mutant changes one thing in one of its files: a
 * condition, a comparison, a number, a text, a piece of a pattern, an entry of a table, a statement
 * that is gone. A mutant is killed when a test fails on it. Prints the mutants that survived, and
 * the share of those killed, of all mutants or of a sample that is always the same.
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
/** Examples come before properties, which take longer. */
const TESTS = [
  "dovecot/lines",
  "attempts/chains",
  "attempts/holds",
  "attempts/attempt-ledger",
  "dovecot/usual-login-line",
  "formats",
  "dovecot/hostile",
].map((name) => join(ROOT, `test/unit/detection/${name}.test.ts`));
/** A mutant whose tests take so long loops, or may as well. */
const LIMIT_MS = 90_000;

const { values, positionals } = parseArgs({
  options: { sample: { type: "string" } },
  allowPositionals: true,
});
const named = positionals.map((file) => resolve(file));
const all = readdirSync(PARSER)
  .filter((file) => file.endsWith(".ts"))
  .map((file) => join(PARSER, file));
const folder = mkdtempSync(join(tmpdir(), "fleetban-mutants-"));

/** Runs the tests on these mutants in one process, which stops at one that never ends. */
function runOn(path: string, ids: readonly number[], seen: (id: number, killer?: string) => void) {
  return new Promise<void>((settle) => {
    const child = fork(join(ROOT, "test/mutation/mutant-process.ts"), [path, ...ids.map(String)], {
      execArgv: ["--import", "tsx"],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const stop = () => child.kill("SIGKILL");
    let timer = setTimeout(stop, LIMIT_MS);
    child.on("message", (message: { id: number; killer?: string }) => {
      clearTimeout(timer);
      timer = setTimeout(stop, LIMIT_MS);
      seen(message.id, message.killer);
    });
    child.on("exit", () => {
      clearTimeout(timer);
      settle();
    });
  });
}

async function runAll(path: string, mutants: readonly Mutant[]): Promise<Map<number, string>> {
  const killers = new Map<number, string>();
  let rest = mutants.map(({ id }) => id);
  while (rest.length > 0) {
    // A process that has loaded many mutants holds much memory.
    const batch = rest.slice(0, 150);
    let done = 0;
    await runOn(path, batch, (id, killer) => {
      done += 1;
      if (killer !== undefined) killers.set(id, killer);
    });
    const stuck = batch[done];
    if (stuck !== undefined) killers.set(stuck, "time");
    rest = rest.slice(stuck === undefined ? done : done + 1);
    process.stderr.write(`${mutants.length - rest.length} of ${mutants.length}\n`);
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

try {
  const sources = named.length > 0 ? named : all;
  const { mutants, path } = await bundleMutants(sources, TESTS, join(folder, "tests.mjs"));
  await runOn(path, [0], (_id, killer) => {
    if (killer !== undefined) throw new Error(`without a mutant a test fails: ${killer}`);
  });
  const tried = sampleOf(mutants, Number(values.sample ?? mutants.length));
  const killers = await runAll(path, tried);
  for (const { id, place, change } of tried) {
    if (!killers.has(id)) process.stdout.write(`survived  ${place}  ${change}\n`);
  }
  const share = (100 * killers.size) / tried.length;
  const of = `${tried.length} of ${mutants.length} mutants`;
  process.stdout.write(`${of} tried, ${killers.size} killed: ${share.toFixed(1)} %\n`);
} finally {
  rmSync(folder, { recursive: true });
}
