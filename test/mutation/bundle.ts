/** Bundles tests with the mutated files that they test, so that they run without a test runner. */
import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { build, type Plugin } from "esbuild";
import { mutateFile, type Mutant } from "./mutants.ts";

export interface Bundle {
  mutants: Mutant[];
  /**
   * Where the bundle is: the body of a function of `MUTANT`, the number of a mutant, `TESTS`, the list
   * that it appends its tests to, and `require`. It is compiled once and called for every mutant.
   */
  path: string;
}

/** So many random inputs of a property are tried on each mutant; there are many mutants. */
const MAX_RUNS = 200;

/** fast-check with fewer inputs; the library itself is loaded only once. */
const FEWER_RUNS = `
  import whole from ${JSON.stringify(import.meta.resolve("fast-check"))};
  const assert = (property, options) =>
    whole.assert(property, { ...options, numRuns: Math.min(options?.numRuns ?? 100, ${MAX_RUNS}) });
  export default { ...whole, assert };
`;

/** What `node:test` would do with a test is for the runner to do. */
const SHIM = `
  export const test = (name, options, body) => {
    if (!options?.skip) TESTS.push({ name, body: body ?? options });
  };
  export default test;
  export const describe = (name, body) => body();
  export const it = test;
`;

export async function bundleMutants(
  sources: readonly string[],
  tests: readonly string[],
  path: string,
): Promise<Bundle> {
  const mutants: Mutant[] = [];
  const texts = new Map<string, string>();
  for (const source of sources) {
    const made = mutateFile(basename(source), readFileSync(source, "utf8"), mutants.length + 1);
    mutants.push(...made.mutants);
    texts.set(source, made.text);
  }
  await build({
    stdin: {
      contents: tests.map((file) => `import ${JSON.stringify(file)};`).join("\n"),
      resolveDir: process.cwd(),
    },
    outfile: path,
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    external: [import.meta.resolve("fast-check")],
    logLevel: "error",
    plugins: [mutatedSources(texts)],
  });
  return { mutants, path };
}

function mutatedSources(texts: ReadonlyMap<string, string>): Plugin {
  return {
    name: "mutated-sources",
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /^node:test$/ }, () => ({ path: "node:test", namespace: "shim" }));
      onLoad({ filter: /^node:test$/, namespace: "shim" }, () => ({ contents: SHIM }));
      onResolve({ filter: /^fast-check$/ }, ({ namespace }) =>
        namespace === "shim" ? undefined : { path: "fast-check", namespace: "shim" },
      );
      onLoad({ filter: /^fast-check$/, namespace: "shim" }, () => ({
        contents: FEWER_RUNS,
      }));
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const text = texts.get(path) ?? readFileSync(path, "utf8");
        // In the bundle, every file would stand where the bundle does.
        const here = JSON.stringify(dirname(path));
        return { contents: text.replaceAll("import.meta.dirname", here), loader: "ts" };
      });
    },
  };
}
