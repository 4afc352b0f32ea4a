/**
 * A program as one file of CommonJS with everything in it: the script of a single executable,
 * and just as well `node FILE`.
 */
import { resolve } from "node:path";
import { build, type Metafile, type Plugin } from "esbuild";
import * as z from "zod";

export interface BundleOptions {
  entry: string;
  outfile: string;
  /**
   * Modules that read files of the checkout, and what their functions return in the bundle:
   * { "services/process/version.ts": { readVersion: "0.1.0" } }.
   */
  frozen: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const ROOT = resolve(import.meta.dirname, "../..");

/** Writes the bundle; returns the folders of the npm packages that are in it, sorted. */
export async function writeBundle({ entry, outfile, frozen }: BundleOptions): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    charset: "utf8",
    legalComments: "none", // the licences are in the Debian package's copyright file
    // A single executable has no import() of its own.
    supported: { "dynamic-import": false },
    banner: { js: 'const fileUrl = require("node:url").pathToFileURL(__filename).href;' },
    define: { "import.meta.url": "fileUrl", "import.meta.dirname": "__dirname" },
    external: ["pg-native"], // pg looks for it only where somebody asks for pg.native
    plugins: [freeze(frozen)],
    metafile: true,
    logLevel: "warning",
  });
  return packageFoldersOf(metafile);
}

/** The folders of the npm packages that a bundle is made of, sorted: "node_modules/zod". */
export function packageFoldersOf({ inputs }: Metafile): string[] {
  const folders = Object.keys(inputs).flatMap(
    (input) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? [],
  );
  return [...new Set(folders)].sort();
}

function freeze(frozen: BundleOptions["frozen"]): Plugin {
  const byPath = new Map(
    Object.entries(frozen).map(([path, functions]) => [resolve(ROOT, path), functions]),
  );
  return {
    name: "freeze",
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const functions = byPath.get(path);
        if (!functions) return undefined;
        const spelled = Object.entries(functions).map(
          ([name, value]) => `export const ${name} = () => (${spell(value)});\n`,
        );
        return { contents: spelled.join(""), loader: "js" };
      });
    },
  };
}

/** JavaScript that makes an equal value; of objects only what JSON has, and bytes. */
function spell(value: unknown): string {
  if (value instanceof Uint8Array) {
    return `Buffer.from("${Buffer.from(value).toString("base64")}", "base64")`;
  }
  if (Array.isArray(value)) return `[${value.map(spell).join(",")}]`;
  const record = z.record(z.string(), z.unknown()).safeParse(value);
  if (!record.success) return JSON.stringify(value);
  const properties = Object.entries(record.data).map(
    ([name, each]) => `${JSON.stringify(name)}:${spell(each)}`,
  );
  return `{${properties.join(",")}}`;
}
