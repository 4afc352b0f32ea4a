import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Release } from "./release.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const FILES = ["package.json", "package-lock.json", "LICENSE", "CHANGELOG.md"];
const FOLDERS = ["services", "prisma", "deploy"];

/** Names everything that the artifacts are made of. */
export function hashInputs(release: Release): string {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  const hash = createHash("sha256").update(JSON.stringify([release, process.versions]));
  for (const file of [...files.sort(), ...FILES.map((name) => join(ROOT, name))]) {
    hash.update(`\n${file}\n`).update(readFileSync(file));
  }
  return hash.digest("hex");
}
