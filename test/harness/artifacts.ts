/** What `npm run package` makes, for tests of just that. */
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");
const DIST = join(ROOT, "dist");

export interface Artifacts {
  folder: string;
  /** The path of the Debian package of this name. */
  debianPackage: (name: string) => string;
}

/** Makes them where anything has changed since the last time: half a minute then. */
export function ensureArtifacts(): Artifacts {
  return make([], DIST);
}

/** The same executables, in packages that nothing compresses, in a third of the time. */
export function ensureDraft(): Artifacts {
  return make(["--", "--draft"], join(DIST, "draft"));
}

function make(options: readonly string[], folder: string): Artifacts {
  execFileSync("npm", ["run", "--silent", "package", ...options], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  return {
    folder,
    debianPackage(name) {
      const found = readdirSync(folder).find(
        (each) => each.startsWith(`${name}_`) && each.endsWith(".deb"),
      );
      if (found === undefined) throw new Error(`${folder}: there is no package ${name}`);
      return join(folder, found);
    },
  };
}
