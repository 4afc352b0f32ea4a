import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { carriedNode } from "./carried-node.ts";
import type { Release } from "./release.ts";
import { canMakeRpms } from "./rpm-package.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const FILES = ["package.json", "package-lock.json", "LICENSE", "CHANGELOG.md"];
const DEPLOY = ["debian", "examples", "man", "package", "rpm", "systemd"];
const FOLDERS = ["services", "prisma", ...DEPLOY.map((name) => join("deploy", name))];

/** Names everything that the artifacts are made of. */
export function hashInputs(release: Release): string {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  // With rpmbuild there are RPMs besides.
  const made = [release, carriedNode().versions, canMakeRpms()];
  const hash = createHash("sha256").update(JSON.stringify(made));
  for (const file of [...files.sort(), ...FILES.map((name) => join(ROOT, name))]) {
    hash.update(`\n${file}\n`).update(readFileSync(file));
  }
  return hash.digest("hex");
}
