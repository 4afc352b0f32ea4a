import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isErrno } from "./file-error.ts";

/**
 * fleetban's version: that of the nearest package.json above this file. A bundle has it in
 * itself: see deploy/package/bundle.ts.
 */
export function readVersion(): string {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    try {
      const text = readFileSync(join(folder, "package.json"), "utf8");
      return versionIn(JSON.parse(text)) ?? "unknown";
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
    }
  }
  return "unknown";
}

/** Without zod, which takes longer to load than all that prints a version. */
function versionIn(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null || !("version" in value)) return undefined;
  return typeof value.version === "string" ? value.version : undefined;
}
