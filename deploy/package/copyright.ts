/** The licences of everything in an executable, as its packages carry them. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { carriedNode } from "./carried-node.ts";
import type { BundledPackage } from "./sbom.ts";

const ROOT = resolve(import.meta.dirname, "../..");

/** The program's own licence, and whose else is in the package; `licensesOf` has the others' texts. */
export function copyrightOf(program: string, packages: readonly BundledPackage[]): string {
  const own = readFileSync(join(ROOT, "LICENSE"), "utf8").trim();
  const others = packages.map(({ name, version, license }) => `  ${name} ${version}: ${license}`);
  const node = `  Node.js ${carriedNode().version}: MIT, with parts of others under licences of their own`;
  const heading = `The executable also holds, each under its own licence; texts in licenses.gz
(the Apache License: on Debian in /usr/share/common-licenses/Apache-2.0, too):`;
  return `${program}\n\n${own}\n\n${heading}\n\n${[...others, node].join("\n")}\n`;
}

/** The texts of everybody else's licences. */
export function licensesOf(packages: readonly BundledPackage[]): string {
  const parts = [
    ...packages.map(({ name, version, license, folder }) => [
      `${name} ${version}: ${license}`,
      licenseIn(join(ROOT, folder)) ?? `See https://www.npmjs.com/package/${name}`,
    ]),
    [`Node.js ${carriedNode().version}`, readFileSync(carriedNode().license, "utf8")],
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
