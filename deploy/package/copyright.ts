/** The licences of everything in an executable, as its Debian package carries them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { BundledPackage } from "./sbom.ts";

const ROOT = resolve(import.meta.dirname, "../..");

export function copyrightOf(program: string, packages: readonly BundledPackage[]): string {
  const parts = [
    [program, readFileSync(join(ROOT, "LICENSE"), "utf8")],
    ...packages.map(({ name, version, license, folder }) => [
      `${name} ${version}: ${license}`,
      licenseIn(join(ROOT, folder)) ?? `See https://www.npmjs.com/package/${name}`,
    ]),
    [`Node.js ${process.version}`, nodeLicense()],
  ];
  return parts.map(([title, text = ""]) => `${title}\n\n${text.trim()}\n`).join(`\n${RULE}\n\n`);
}

const RULE = "-".repeat(72);

function licenseIn(folder: string): string | undefined {
  const file = readdirSync(folder)
    .sort()
    .find((name) => /^licen[cs]e/i.test(name));
  return file && readFileSync(join(folder, file), "utf8");
}

/** Beside Node's program, in nodejs.org's archives and in packages made of them. */
function nodeLicense(): string {
  const folder = dirname(dirname(process.execPath));
  const file = ["LICENSE", "share/doc/nodejs/LICENSE"]
    .map((name) => join(folder, name))
    .find((each) => existsSync(each));
  return file
    ? readFileSync(file, "utf8")
    : `See https://github.com/nodejs/node/blob/${process.version}/LICENSE`;
}
