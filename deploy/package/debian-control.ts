import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { carriedNode } from "./carried-node.ts";
import type { Program } from "./programs.ts";
import type { Release } from "./release.ts";

/** The package's control file (https://www.debian.org/doc/debian-policy/ch-controlfields.html). */
export function controlOf(
  { name, summary, command, depends, suggests }: Program,
  release: Release,
  kibibytes: number,
): string {
  const fields = {
    Package: name,
    Version: release.version,
    Architecture: architecture(),
    Maintainer: release.maintainer,
    "Installed-Size": String(kibibytes),
    Depends: [...nodeLibraries(), ...depends].join(", "),
    Suggests: suggests.join(", "),
    Section: "admin",
    Priority: "optional",
    Description: `ban coordinator for mail servers - ${summary}`,
  };
  const lines = Object.entries(fields).flatMap(([field, value]) =>
    value === "" ? [] : [`${field}: ${value}`],
  );
  const description = wrap(command().description()).map((line) => ` ${line}`);
  return [...lines, ...description, ""].join("\n");
}

const WIDTH = 78;

/** A description in lines as long as package managers show. */
export function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** Debian's changelog, which programs read; for people there is NEWS. */
export function changelogOf(name: string, { version, epoch, maintainer }: Release): string {
  const date = new Date(epoch * 1000).toUTCString().replace("GMT", "+0000");
  return `${name} (${version}) unstable; urgency=medium

  * See NEWS.gz beside this file.

 -- ${maintainer}  ${date}
`;
}

export function architecture(): string {
  return execFileSync("dpkg", ["--print-architecture"], { encoding: "utf8" }).trim();
}

let known: string[] | undefined;

/** Packages with the shared libraries that the carried Node needs, and their versions: the same for every program. */
function nodeLibraries(): string[] {
  known ??= readLibraries(carriedNode().program);
  return known;
}

function readLibraries(executable: string): string[] {
  const folder = mkdtempSync(join(tmpdir(), "fleetban-shlibdeps-"));
  try {
    mkdirSync(join(folder, "debian"));
    // dpkg-shlibdeps asks for one, and takes nothing from it.
    writeFileSync(join(folder, "debian/control"), "Source: x\n\nPackage: x\nArchitecture: any\n");
    const text = execFileSync("dpkg-shlibdeps", ["-O", executable], {
      cwd: folder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
    return /^shlibs:Depends=(.*)$/m.exec(text)?.[1]?.split(", ") ?? [];
  } finally {
    rmSync(folder, { recursive: true });
  }
}
