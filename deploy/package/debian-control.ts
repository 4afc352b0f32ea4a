import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Program } from "./programs.ts";
import type { Release } from "./release.ts";

const MAINTAINER = "fleetban developers <maintainers@fleetban.invalid>";

/** The package's control file (https://www.debian.org/doc/debian-policy/ch-controlfields.html). */
export function controlOf(
  { name, summary, command, depends, suggests }: Program,
  release: Release,
  executable: string,
  kibibytes: number,
): string {
  const fields = {
    Package: name,
    Version: release.version,
    Architecture: architecture(),
    Maintainer: MAINTAINER,
    "Installed-Size": String(kibibytes),
    Depends: [...libraries(executable), ...depends].join(", "),
    Suggests: suggests.join(", "),
    Section: "admin",
    Priority: "optional",
    Description: `fleetban, ${summary}`,
  };
  const lines = Object.entries(fields).flatMap(([field, value]) =>
    value === "" ? [] : [`${field}: ${value}`],
  );
  return [...lines, ` ${command().description()}`, ""].join("\n");
}

export function architecture(): string {
  return execFileSync("dpkg", ["--print-architecture"], { encoding: "utf8" }).trim();
}

/** Packages with the shared libraries that Node needs, and their versions. */
function libraries(executable: string): string[] {
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
