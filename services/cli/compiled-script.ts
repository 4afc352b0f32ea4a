/**
 * The bundled CLI as one script of CommonJS, and beside it the code that V8 compiled from this
 * script when it was built. With that code, `fleetban status` takes two thirds of the time.
 *
 * V8 refuses code that another version of V8 has compiled, and then compiles the script itself.
 * V8 does not notice another script of the same length: `deploy/build` always writes both files.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { Script } from "node:vm";

/** What run.ts exports. */
interface RunModule {
  run: () => Promise<void>;
}

/** `load` loads what the script requires, which are modules of Node. */
export function openCompiled(file: string, load: NodeJS.Require): RunModule {
  return evaluate(compile(file, readIfThere(codeOf(file))), file, load);
}

/** Compiles the script, runs the command line of this process with it, and keeps the code. */
export async function compileScript(path: string, load: NodeJS.Require): Promise<void> {
  const file = resolve(path);
  const script = compile(file, undefined);
  await evaluate(script, file, load).run();
  // Now, because V8 compiles most functions when they are called for the first time.
  writeFileSync(codeOf(file), script.createCachedData());
}

function codeOf(file: string): string {
  return `${file}.code`;
}

function compile(file: string, cachedData: Buffer | undefined): Script {
  // The script is ASCII: V8 keeps one byte a character, and nothing is decoded.
  const source = readFileSync(file, "latin1");
  const wrapped = `(function (require, exports, module, __filename, __dirname) {${source}\n})`;
  return new Script(wrapped, { filename: file, ...(cachedData && { cachedData }) });
}

type Wrapper = (...given: [NodeJS.Require, object, { exports: RunModule }, string, string]) => void;

function evaluate(script: Script, file: string, load: NodeJS.Require): RunModule {
  const exports: RunModule = {
    run: () => Promise.reject(new Error(`${file}: exports no run()`)),
  };
  const module = { exports };
  const wrapper = script.runInThisContext() as Wrapper;
  wrapper(load, exports, module, file, dirname(file));
  return module.exports;
}

function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined; // V8 compiles the script, which takes longer.
  }
}
