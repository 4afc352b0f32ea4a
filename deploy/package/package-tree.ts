/** The files of a package, where they will lie on a host: the same for Debian and for RPM. */
import { existsSync } from "node:fs";
import {
  chmod,
  copyFile,
  mkdir,
  readdir,
  readFile,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import type { Program } from "./programs.ts";
import type { Release } from "./release.ts";

export interface PackageContents {
  program: Program;
  release: Release;
  /** Packages are written beside it. */
  executable: string;
  manPage: string;
  completions: Readonly<Record<"bash" | "zsh" | "fish", string>>;
  copyright: string;
  licenses: string;
  sbom: string;
}

const DEPLOY = resolve(import.meta.dirname, "..");

export interface PackageTree {
  folder: string;
  put(path: string, content: string | Buffer): Promise<void>;
  /** Of a file below deploy/, if it is there. */
  putFrom(source: string, path: string): Promise<void>;
  /** Gives everything its mode and the release's time; returns the files' bytes. */
  settle(executables?: readonly string[]): Promise<number>;
}

/** Writes them below `folder`. */
export async function createPackageTree(
  folder: string,
  contents: PackageContents,
): Promise<PackageTree> {
  const { program, release } = contents;
  const { name, section, configuration } = program;
  const documents = `usr/share/doc/${name}`;
  const tree: PackageTree = {
    folder,
    async put(path, content) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), content);
    },
    async putFrom(source, path) {
      const file = join(DEPLOY, source);
      if (existsSync(file)) await tree.put(path, await readFile(file));
    },
    settle: (executables = []) =>
      settle(folder, release.epoch, [`usr/bin/${name}`, ...executables]),
  };
  await mkdir(join(folder, "etc/fleetban"), { recursive: true });
  await mkdir(join(folder, "usr/bin"), { recursive: true });
  await copyFile(contents.executable, join(folder, "usr/bin", name));
  await tree.put(`usr/share/man/man${section}/${name}.${section}.gz`, compress(contents.manPage));
  const { bash, fish } = contents.completions;
  await tree.put(`usr/share/bash-completion/completions/${name}`, bash);
  await tree.put(`usr/share/fish/vendor_completions.d/${name}.fish`, fish);
  await tree.put(`${documents}/copyright`, contents.copyright);
  await tree.put(`${documents}/licenses.gz`, compress(contents.licenses));
  await tree.put(`${documents}/sbom.cdx.json.gz`, compress(contents.sbom));
  const news = await readFile(join(DEPLOY, "../CHANGELOG.md"));
  await tree.put(`${documents}/NEWS.gz`, compress(news));
  await tree.putFrom(`examples/${configuration}`, `${documents}/examples/${configuration}`);
  await tree.putFrom(`systemd/${name}.service`, `usr/lib/systemd/system/${name}.service`);
  await tree.putFrom(`systemd/${name}-sets.service`, `usr/lib/systemd/system/${name}-sets.service`);
  await tree.putFrom(`systemd/${name}.sysusers.conf`, `usr/lib/sysusers.d/${name}.conf`);
  await tree.putFrom(`systemd/${name}.tmpfiles.conf`, `usr/lib/tmpfiles.d/${name}.conf`);
  return tree;
}

export function compress(bytes: string | Buffer): Buffer {
  return gzipSync(bytes, { level: 9 }); // without name and time
}

async function settle(folder: string, epoch: number, paths: readonly string[]): Promise<number> {
  let bytes = 0;
  const executables = new Set(paths.map((path) => join(folder, path)));
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    await chmod(path, entry.isDirectory() || executables.has(path) ? 0o755 : 0o644);
    await utimes(path, epoch, epoch);
    if (entry.isFile()) bytes += (await stat(path)).size;
  }
  await chmod(folder, 0o755);
  await utimes(folder, epoch, epoch);
  return bytes;
}
