/**
 * npm run package               makes everything of a release in dist/, if anything has changed
 * npm run package -- --check    makes it twice, elsewhere, and compares the bytes
 * npm run package -- --draft    makes a draft in dist/draft, to be tried on this machine, quickly
 *
 * RPMs are made where rpmbuild is. FLEETBAN_MAINTAINER says who answers for the packages,
 * SOURCE_DATE_EPOCH when they were made.
 */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { EXIT, explainExit, PlainError } from "../../services/process/exit.ts";
import { CHECKSUMS, makeArtifacts } from "./artifacts.ts";
import type { Purpose } from "./debian-package.ts";
import { hashInputs } from "./inputs.ts";
import { readRelease, type Release } from "./release.ts";

const DIST = resolve(import.meta.dirname, "../../dist");

const say = (line: string) => void process.stderr.write(`package: ${line}\n`);

/** Makes what `folder` is to hold, unless it was made of the same before. */
async function makeIn(folder: string, release: Release, purpose: Purpose): Promise<void> {
  const stateFile = join(folder, ".package-state");
  const state = hashInputs(release);
  const isMade = existsSync(stateFile) && (await readFile(stateFile, "utf8")) === state;
  if (!isMade) {
    const unfinished = join(folder, ".package");
    await rm(unfinished, { recursive: true, force: true });
    await makeArtifacts({ release, folder: unfinished, purpose, say });
    await rm(stateFile, { force: true });
    for (const name of await readdir(folder)) {
      if (name === CHECKSUMS || name.startsWith("fleetban")) await rm(join(folder, name));
    }
    for (const name of await readdir(unfinished)) {
      await rename(join(unfinished, name), join(folder, name));
    }
    await rm(unfinished, { recursive: true });
    await writeFile(stateFile, state);
  }
  process.stdout.write(await readFile(join(folder, CHECKSUMS)));
}

/** Two builds that have as little in common as one machine allows; throws when they differ. */
async function check(release: Release): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-package-"));
  const make = async (name: string, mask: number, zone: string) => {
    process.umask(mask);
    process.env["TZ"] = zone;
    const purpose = "release";
    await makeArtifacts({ release, folder: join(folder, name), purpose, say });
    return readFile(join(folder, name, CHECKSUMS), "utf8");
  };
  try {
    const first = await make("first", 0o022, "UTC");
    const second = await make("the-second", 0o077, "Asia/Tokyo");
    process.stdout.write(first);
    if (first === second) return;
    const message = `a second build is another one, expected the same bytes:\n${second}`;
    throw new PlainError(message, EXIT.refused);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const [flag, ...more] = process.argv.slice(2);
try {
  if (!(flag === undefined || flag === "--check" || flag === "--draft") || more.length > 0) {
    throw new PlainError("expected nothing, --check or --draft", EXIT.usage);
  }
  const release = readRelease({
    sourceDateEpoch: process.env["SOURCE_DATE_EPOCH"],
    maintainer: process.env["FLEETBAN_MAINTAINER"],
  });
  if (flag === "--check") await check(release);
  else if (flag === "--draft") await makeIn(join(DIST, "draft"), release, "draft");
  else await makeIn(DIST, release, "release");
} catch (error) {
  process.exitCode = explainExit("package", error);
}
