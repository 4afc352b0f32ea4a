/**
 * Makes dist/web of services/web/browser: one script, one style sheet, both named after their
 * content and compressed, and index.html.
 */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "esbuild";
import { packageFoldersOf } from "./package/bundle.ts";
import { BASE_PATH } from "../services/web/server/static-page.ts";
import { worldMapPlugin } from "./world-map.ts";

const ROOT = resolve(import.meta.dirname, "..");
const FOLDER = join(ROOT, "dist/web");

rmSync(FOLDER, { recursive: true, force: true });
mkdirSync(FOLDER, { recursive: true });
const { metafile } = await build({
  absWorkingDir: ROOT,
  entryPoints: { app: "services/web/browser/main.tsx" },
  outdir: FOLDER,
  entryNames: "[name]-[hash]",
  bundle: true,
  minify: true,
  format: "iife",
  platform: "browser",
  target: "es2022",
  charset: "utf8",
  legalComments: "none", // the licences are in the Debian package's copyright file
  plugins: [worldMapPlugin],
  metafile: true,
  logLevel: "warning",
});

const names = readdirSync(FOLDER);
for (const name of names) {
  const bytes = readFileSync(join(FOLDER, name));
  const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
  writeFileSync(join(FOLDER, `${name}.br`), brotliCompressSync(bytes, { params }));
  writeFileSync(join(FOLDER, `${name}.gz`), gzipSync(bytes, { level: 9 }));
}

const scripts = names
  .filter((name) => name.endsWith(".js"))
  .map((name) => `<script type="module" src="${BASE_PATH}/assets/${name}"></script>`);
const styles = names
  .filter((name) => name.endsWith(".css"))
  .map((name) => `<link rel="stylesheet" href="${BASE_PATH}/assets/${name}">`);
const template = readFileSync(join(ROOT, "services/web/browser/index.html"), "utf8");
writeFileSync(
  join(FOLDER, "index.html"),
  template.replace("</head>", `${[...styles, ...scripts].join("\n")}\n</head>`),
);
// What npm run package names in the coordinator's copyright file and bill of materials. The plugin has
// made the map of the last one.
const packages = [...packageFoldersOf(metafile), "node_modules/world-atlas"];
writeFileSync(join(FOLDER, "packages.json"), JSON.stringify(packages));
