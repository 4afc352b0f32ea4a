/** A Debian package of one program, made with dpkg-deb: the same bytes from the same commit. */
import { execFileSync } from "node:child_process";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { architecture, changelogOf, controlOf } from "./debian-control.ts";
import { compress, createPackageTree, type PackageContents } from "./package-tree.ts";

const SCRIPTS = ["postinst", "prerm", "postrm"];

/**
 * What dpkg-deb is told of compression. Level 1 is 4 % larger than the default, and four times as
 * quick; of the time that a draft takes, it would still be most.
 */
const COMPRESSION = { release: ["-Zxz", "-z1"], draft: ["-Znone"] } as const;
export type Purpose = keyof typeof COMPRESSION;

/** Returns the package's path. */
export async function writeDebianPackage(
  contents: PackageContents,
  purpose: Purpose,
): Promise<string> {
  const { program, release, executable } = contents;
  const { name } = program;
  const tree = await createPackageTree(`${executable}.debian`, contents);
  const changelog = compress(changelogOf(name, release));
  await tree.put(`usr/share/doc/${name}/changelog.gz`, changelog);
  await tree.putFrom(`debian/lintian-overrides`, `usr/share/lintian/overrides/${name}`);
  // The folder that Debian's zsh leaves to packages; that of the RPM is zsh's own.
  await tree.put(`usr/share/zsh/vendor-completions/_${name}`, contents.completions.zsh);
  const bytes = await tree.settle();
  for (const script of SCRIPTS) {
    await tree.putFrom(`debian/${name}/${script}`, `DEBIAN/${script}`);
  }
  const control = controlOf(program, release, Math.ceil(bytes / 1024));
  await tree.put("DEBIAN/control", control);
  await tree.settle(SCRIPTS.map((script) => `DEBIAN/${script}`));

  const path = join(dirname(executable), `${name}_${release.version}_${architecture()}.deb`);
  const args = ["--root-owner-group", ...COMPRESSION[purpose], "--build", tree.folder, path];
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(release.epoch) };
  execFileSync("dpkg-deb", args, { stdio: "pipe", env });
  await rm(tree.folder, { recursive: true });
  return path;
}
