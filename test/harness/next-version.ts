/** The same Debian package under a later version, as the next release would be. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Writes it to `path`. */
export function writeNextVersion(debianPackage: string, path: string): void {
  const folder = mkdtempSync(join(tmpdir(), "fleetban-next-"));
  try {
    execFileSync("dpkg-deb", ["--raw-extract", debianPackage, join(folder, "root")]);
    const control = join(folder, "root/DEBIAN/control");
    const text = readFileSync(control, "utf8").replace(/^Version: .*$/m, "$&.next");
    writeFileSync(control, text);
    const args = ["--root-owner-group", "-Znone", "--build", join(folder, "root"), path];
    execFileSync("dpkg-deb", args, { stdio: "pipe" });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
