/**
 * The page as `deploy/build` has made it in dist/web. An executable has it in itself, see
 * deploy/package/bundle.ts.
 */
import { readdirSync, readFileSync } from "node:fs";
import { extname, join, resolve } from "node:path";

export interface Asset {
  /** Of HTTP: "text/javascript; charset=utf-8". */
  type: string;
  bytes: Uint8Array;
  /** The same, compressed. */
  brotli: Uint8Array;
  gzip: Uint8Array;
}

export interface BundledPage {
  /** Has BASE_PATH of static-page.ts where the site's base path is to stand. */
  index: string;
  /** By name: "app-4F2K7Q3B.js". A name stands for this content for ever. */
  assets: Readonly<Record<string, Asset>>;
}

const TYPES: Readonly<Record<string, string>> = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** The build puts this file into dist/services/coordinator/main.js, the source lies one folder deeper. */
const FOLDERS = ["../../web", "../../../dist/web"].map((path) =>
  resolve(import.meta.dirname, path),
);

export function readBundledPage(): BundledPage {
  const folder = FOLDERS.find((each) => hasPage(each));
  if (folder === undefined) throw new Error("dist/web: is not there; deploy/build makes it");
  const read = (name: string) => readFileSync(join(folder, name));
  const names = readdirSync(folder).filter((name) => TYPES[extname(name)] !== undefined);
  const assets = names.map((name): [string, Asset] => [
    name,
    {
      type: TYPES[extname(name)] ?? "",
      bytes: read(name),
      brotli: read(`${name}.br`),
      gzip: read(`${name}.gz`),
    },
  ]);
  return { index: read("index.html").toString(), assets: Object.fromEntries(assets) };
}

function hasPage(folder: string): boolean {
  try {
    return readdirSync(folder).includes("index.html");
  } catch {
    return false;
  }
}
