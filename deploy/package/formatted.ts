import { execFileSync } from "node:child_process";
import { resolve } from "node:path";

const OXFMT = resolve(import.meta.dirname, "../../node_modules/.bin/oxfmt");

/** A text laid out as `npm run format` would lay out the file. Throws when it cannot be read as one. */
export const formatted = (text: string, file: string): string =>
  execFileSync(OXFMT, [`--stdin-filepath=${file}`], { input: text, encoding: "utf8" });
