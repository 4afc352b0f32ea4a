/**
 * Runs the tests on one mutant after another, each with its modules loaded anew, and tells its
 * parent which test has failed. A mutant that never ends is the parent's to stop.
 */
import { pathToFileURL } from "node:url";
import fc from "fast-check";

interface Test {
  name: string;
  body: (context: object) => unknown;
}
const global = globalThis as unknown as { MUTANT: number; TESTS: Test[] };

const [path = "", ...ids] = process.argv.slice(2);

/** The name of the first test that fails. */
async function firstFailure(id: number): Promise<string | undefined> {
  global.MUTANT = id;
  global.TESTS = [];
  try {
    await import(`${pathToFileURL(path).href}?mutant=${id}`);
  } catch {
    return "loading";
  }
  for (const { name, body } of global.TESTS) {
    try {
      await body({});
    } catch {
      return name;
    }
  }
  return undefined;
}

// The same properties for every mutant, and no time lost for making a failure small.
fc.configureGlobal({ seed: 7, endOnFailure: true });
for (const id of ids.map(Number)) {
  const killer = await firstFailure(id);
  process.send?.({ id, killer });
}
