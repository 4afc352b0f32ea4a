/**
 * node test/compile.js FOLDER FILE...
 *
 * Compiles test files into a folder below the repository, with what they import of ours in a few
 * files that they share, and prints where they are. Node starts such a file in a third of the time that it needs to
 * compile TypeScript as it goes, and `npm test` starts more than a hundred.
 */
import { readFile } from "node:fs/promises";
import { dirname, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
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

const [folder = "", ...names] = process.argv.slice(2);
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
for (const file of files) {
  process.stdout.write(`${folder}/${relative(ROOT, file).replace(/\.ts$/, ".js")}\n`);
}
