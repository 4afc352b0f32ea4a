/** Packages of the version at hand, as `npm run package` makes them, and the daemons of a later one. */
import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { makeArtifacts } from "../../deploy/package/artifacts.ts";
import { hashInputs } from "../../deploy/package/inputs.ts";
import { PROGRAMS } from "../../deploy/package/programs.ts";
import { ensureArtifacts } from "../harness/artifacts.ts";
import { CACHE } from "../harness/debian-image.ts";

export interface Packages {
  version: string;
  /** The folder that has them. */
  folder: string;
}

export function makePackages(): Packages {
  const { folder, debianPackage } = ensureArtifacts();
  const [, version = ""] = debianPackage("fleetban-agent").split("_");
  return { version, folder };
}

/** Of agent and coordinator, of a version after `version`; kept until something changes. */
export async function makeNextDaemons(version: string): Promise<Packages> {
  const maintainer = "Later <later@fleetban.invalid>";
  const release = { version: `${version}+1`, epoch: 1_700_000_000, maintainer };
  const cache = join(CACHE, "next-daemons");
  const folder = join(cache, hashInputs(release).slice(0, 16));
  if (!existsSync(folder)) {
    await rm(cache, { recursive: true, force: true });
    const programs = PROGRAMS.filter(({ name }) => name !== "fleetban");
    const say = (line: string) => void process.stderr.write(`next version: ${line}\n`);
    await makeArtifacts({
      release,
      folder: `${folder}.partial`,
      purpose: "release",
      say,
      programs,
    });
    await rename(`${folder}.partial`, folder);
  }
  return { version: release.version, folder };
}
