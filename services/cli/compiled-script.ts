/**
 * The bundled CLI as scripts of CommonJS, and beside each the code that V8 compiled from it when it
 * was built. With that code, `fleetban status` takes two thirds of the time.
 *
 * V8 refuses code that another version of V8 has compiled, and then compiles the script itself.
 * V8 does not notice another script of the same length: `deploy/build` always writes both files.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Script } from "node:vm";

/** What run.ts exports. */
interface RunModule {
  run: () => Promise<void>;
}

/** `load` loads what the script requires, except scripts beside it: these are modules of Node. */
export function openCompiled(file: string, load: Load): RunModule {
  return evaluate(compile(file, readIfThere(codeOf(file))), file, load);
}

/**
 * Runs the command line of this process with the first script, and keeps the code of all of them.
 * The others are those that the first one requires when a command needs them.
 */
export async function compileScripts(paths: readonly string[], load: Load): Promise<void> {
  const [first, ...others] = paths.map((path) => resolve(path));
  if (first === undefined) return;
  const script = compile(first, undefined);
  await evaluate(script, first, load).run();
  // Now, because V8 compiles most functions when they are called for the first time.
  writeFileSync(codeOf(first), script.createCachedData());
  for (const file of others) {
    writeFileSync(codeOf(file), compile(file, undefined).createCachedData());
  }
}

function codeOf(file: string): string {
  return `${file}.code`;
}

/** The script is one function, and ASCII: V8 keeps one byte a character, and nothing is decoded. */
function compile(file: string, cachedData: Buffer | undefined): Script {
  return new Script(readFileSync(file, "latin1"), {
    filename: file,
    ...(cachedData && { cachedData }),
  });
}

type Load = (id: string) => unknown;
type Wrapper = (...given: [Load, object, { exports: RunModule }, string, string]) => void;

function evaluate(script: Script, file: string, load: Load): RunModule {
  const exports: RunModule = {
    run: () => Promise.reject(new Error(`${file}: exports no run()`)),
  };
  const module = { exports };
  const folder = dirname(file);
  const opened = new Map<string, RunModule>();
  const loadOrOpen = (id: string) => {
    if (!id.startsWith("./")) return load(id);
    const known = opened.get(id) ?? openCompiled(join(folder, id), load);
    opened.set(id, known);
    return known;
  };
  const wrapper = script.runInThisContext() as Wrapper;
  wrapper(loadOrOpen, exports, module, file, folder);
  return module.exports;
}

function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined; // V8 compiles the script, which takes longer.
  }
}
