/** An RPM of one program, made with rpmbuild of the very files that its Debian package has. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createPackageTree, type PackageContents } from "./package-tree.ts";
import { specOf } from "./rpm-spec.ts";

/** Whether this machine has rpmbuild. */
export function canMakeRpms(): boolean {
  return spawnSync("rpmbuild", ["--version"], { stdio: "ignore" }).status === 0;
}

/** The same bytes from the same commit, whoever makes them and where. */
const MACROS: Readonly<Record<string, string>> = {
  _buildhost: "fleetban.invalid",
  use_source_date_epoch_as_buildtime: "1",
  clamp_mtime_to_source_date_epoch: "1",
  source_date_epoch_from_changelog: "0",
  // The executable stays as it is: stripped it would have lost its script.
  __os_install_post: "%{nil}",
  __spec_install_post: "%{nil}",
  debug_package: "%{nil}",
  _build_id_links: "none",
  // What EL 9 has for its own.
  _binary_payload: "w3.zstdio",
  _binary_filedigest_algorithm: "8",
  _rpmfilename: "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
};

/** Returns the package's path. */
export async function writeRpm(contents: PackageContents): Promise<string> {
  const { release, executable } = contents;
  const folder = `${executable}.rpm`;
  const tree = await createPackageTree(join(folder, "tree"), contents);
  const { completions, program } = contents;
  await tree.put(`usr/share/zsh/site-functions/_${program.name}`, completions.zsh);
  await tree.settle();
  const spec = join(folder, "package.spec");
  await writeFile(spec, await specOf(contents.program, release, tree.folder));
  await mkdir(join(folder, "RPMS"));
  const defined = Object.entries({ ...MACROS, _topdir: folder }).flatMap(([name, value]) => [
    "--define",
    `${name} ${value}`,
  ]);
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(release.epoch), LC_ALL: "C" };
  execFileSync("rpmbuild", ["--quiet", "-bb", ...defined, spec], { stdio: "pipe", env });
  const [made = ""] = await readdir(join(folder, "RPMS"));
  const path = join(dirname(executable), made);
  await rename(join(folder, "RPMS", made), path);
  await rm(folder, { recursive: true });
  return path;
}
