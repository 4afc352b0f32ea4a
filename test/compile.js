/**
 * node test/compile.js [--processes=N] FOLDER FILE...
 *
 * Compiles test files into a folder below the repository, with what they import of ours in a few
 * files that they share, and prints where they are. Node starts such a file in a third of the time
 * that it needs to compile TypeScript as it goes.
 *
 * With --processes it prints N files instead, which import all of them: the tests of one run in one
 * process, which is half the work where most files take no longer than a start of Node.
 */
import { readFile, writeFile } from "node:fs/promises";
import { dirname, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const ROOT = resolve(import.meta.dirname, "..");
/** Tests start them as processes of their own. */
const PROGRAMS = ["test/harness/mail-client-process.ts"];

/** Modules go on to find files beside their source, wherever they are compiled to. */
const keepPlaces = {
  name: "keep-places",
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const places = {
        dirname: dirname(path),
        filename: path,
        url: pathToFileURL(path).href,
      };
      // deploy/package/bundle.ts has the same words in quotes, as names for esbuild.
      const contents = source.replaceAll(
        /(?<!")import\.meta\.(dirname|filename|url)\b/g,
        (_, place) => JSON.stringify(places[place]),
      );
      return { contents, loader: "ts" };
    });
  },
};

const { values, positionals } = parseArgs({
  options: { processes: { type: "string" } },
  allowPositionals: true,
});
const [folder = "", ...names] = positionals;
const files = names.map((name) => resolve(name));
await build({
  entryPoints: [...files, ...PROGRAMS.map((name) => resolve(ROOT, name))],
  outbase: ROOT,
  outdir: folder,
  bundle: true,
  splitting: true,
  packages: "external",
  platform: "node",
  target: "node20",
  format: "esm",
  sourcemap: true,
  logLevel: "warning",
  plugins: [keepPlaces],
});
const compiled = files.map((file) => relative(ROOT, file).replace(/\.ts$/, ".js"));
const started = values.processes ? await inGroups(Number(values.processes)) : compiled;
for (const file of started) process.stdout.write(`${folder}/${file}\n`);

/** Files that import the compiled ones, dealt out in turn. */
async function inGroups(count) {
  const groups = Array.from({ length: count }, (_, index) => `group-${index + 1}.js`);
  await Promise.all(
    groups.map((group, index) => {
      const imports = compiled.filter((_, at) => at % count === index);
      return writeFile(
        `${folder}/${group}`,
        imports.map((file) => `import ${JSON.stringify(`./${file}`)};\n`).join(""),
      );
    }),
  );
  return groups;
}
