/** Everything of a release, made into one folder. */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import * as z from "zod";
import { readPrismaFiles } from "../../prisma/prisma-files.ts";
import { writeBundle } from "./bundle.ts";
import { bashCompletion } from "../../services/cli/completion/bash-completion.ts";
import { fishCompletion } from "../../services/cli/completion/fish-completion.ts";
import { zshCompletion } from "../../services/cli/completion/zsh-completion.ts";
import { copyrightOf, licensesOf } from "./copyright.ts";
import { writeDebianPackage, type Purpose } from "./debian-package.ts";
import { writeExecutable } from "./executable.ts";
import { readBundledPage } from "../../services/web/server/bundled-page.ts";
import { manPageOf } from "./man-page.ts";
import { PROGRAMS, type Program } from "./programs.ts";
import type { Release } from "./release.ts";
import { canMakeRpms, writeRpm } from "./rpm-package.ts";
import { describePackages, readNpmSbom, sbomOf } from "./sbom.ts";

export interface ArtifactOptions {
  release: Release;
  folder: string;
  /** A draft is to be tried on this machine: its packages are not compressed, and no RPMs are made. */
  purpose: Purpose;
  say: (line: string) => void;
  /** All, unless told otherwise. */
  programs?: readonly Program[];
}

export const CHECKSUMS = "SHA256SUMS";

/**
 * Of each program NAME: the bundle NAME.cjs, the executable NAME, its SBOM NAME.cdx.json, the
 * Debian package and, where rpmbuild is, the RPM; and the checksums of all of them.
 */
export async function makeArtifacts(options: ArtifactOptions): Promise<void> {
  const { release, folder, purpose, say, programs = PROGRAMS } = options;
  await mkdir(folder, { recursive: true });
  const npmSbom = readNpmSbom();
  const frozen = {
    "services/process/version.ts": { readVersion: release.version },
    "services/web/server/bundled-page.ts": { readBundledPage: readBundledPage() },
    "prisma/prisma-files.ts": { readPrismaFiles: readPrismaFiles() },
  };
  for (const program of programs) {
    const { name, entry } = program;
    const [executable, bundle] = [join(folder, name), join(folder, `${name}.cjs`)];
    say(name);
    const bundled = await writeBundle({ entry, outfile: bundle, frozen });
    const packages = describePackages([
      ...bundled,
      ...(hasPage(program) ? readPagePackages() : []),
    ]);
    await writeExecutable(bundle, executable);
    const sbom = sbomOf(npmSbom, name, packages, release);
    await writeFile(join(folder, `${name}.cdx.json`), sbom);
    const contents = {
      ...{ program, release, executable, sbom },
      manPage: manPageOf(program, release),
      completions: {
        bash: bashCompletion(program),
        zsh: zshCompletion(program),
        fish: fishCompletion(program),
      },
      copyright: copyrightOf(name, packages),
      licenses: licensesOf(packages),
    };
    await writeDebianPackage(contents, purpose);
    if (purpose === "release" && canMakeRpms()) await writeRpm(contents);
  }
  await writeFile(join(folder, CHECKSUMS), await checksumsOf(folder));
}

/** The web page is a part of the coordinator. */
const hasPage = ({ name }: Program) => name === "fleetban-coordinator";

/** The folders of the npm packages that deploy/build has put into the page. */
function readPagePackages(): string[] {
  const file = resolve(import.meta.dirname, "../../dist/web/packages.json");
  return z.array(z.string()).parse(JSON.parse(readFileSync(file, "utf8")));
}

/** As sha256sum writes them. */
export async function checksumsOf(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter((name) => name !== CHECKSUMS).sort();
  const lines: string[] = [];
  for (const name of names) {
    const hash = createHash("sha256").update(await readFile(join(folder, name)));
    lines.push(`${hash.digest("hex")}  ${name}\n`);
  }
  return lines.join("");
}
