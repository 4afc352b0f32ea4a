/**
 * The bundled CLI as scripts of CommonJS, and beside each the code that V8 compiled from it when it
 * was built. With that code, `fleetban status` takes two thirds of the time.
 *
 * V8 refuses code that another version of V8 has compiled, and then compiles the script itself.
 * V8 does not notice another script of the same length: `deploy/build` always writes both files.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Script } from "node:vm";

/** What run.ts exports. */
export interface RunModule {
  run: () => Promise<void>;
}

/** `load` loads what the script requires, except scripts beside it: these are modules of Node. */
export function openCompiled(file: string, load: Load): RunModule {
  return evaluate(compile(file, readIfThere(codeOf(file))), file, load) as RunModule;
}

/**
 * Compiles a script, and keeps the code. `use` gets what the script exports: V8 compiles most functions
 * when they are called for the first time. Without it the script is not run.
 */
export async function compileScript(
  file: string,
  load: Load,
  use?: (exports: never) => unknown,
): Promise<void> {
  const script = compile(file, undefined);
  if (use) await use(evaluate(script, file, load) as never);
  writeFileSync(codeOf(file), script.createCachedData());
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

function evaluate(script: Script, file: string, load: Load): unknown {
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
