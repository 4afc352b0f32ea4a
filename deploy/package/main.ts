/**
 * npm run package               makes everything of a release in dist/, if anything has changed
 * npm run package -- --check    makes it twice, elsewhere, and compares the bytes
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
import { hashInputs } from "./inputs.ts";
import { readRelease, type Release } from "./release.ts";

const DIST = resolve(import.meta.dirname, "../../dist");
/** What dist/ was made of. */
const STATE = join(DIST, ".package-state");

const say = (line: string) => void process.stderr.write(`package: ${line}\n`);

async function makeDist(release: Release): Promise<void> {
  const state = hashInputs(release);
  const isMade = existsSync(STATE) && (await readFile(STATE, "utf8")) === state;
  if (!isMade) {
    const draft = join(DIST, ".package");
    await rm(draft, { recursive: true, force: true });
    await makeArtifacts({ release, folder: draft, say });
    await rm(STATE, { force: true });
    for (const name of await readdir(DIST)) {
      if (name === CHECKSUMS || name.startsWith("fleetban")) await rm(join(DIST, name));
    }
    for (const name of await readdir(draft)) await rename(join(draft, name), join(DIST, name));
    await rm(draft, { recursive: true });
    await writeFile(STATE, state);
  }
  process.stdout.write(await readFile(join(DIST, CHECKSUMS)));
}

/** Two builds that have as little in common as one machine allows; throws when they differ. */
async function check(release: Release): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-package-"));
  const make = async (name: string, mask: number, zone: string) => {
    process.umask(mask);
    process.env["TZ"] = zone;
    await makeArtifacts({ release, folder: join(folder, name), say });
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
  if ((flag !== undefined && flag !== "--check") || more.length > 0) {
    throw new PlainError("expected nothing or --check", EXIT.usage);
  }
  const release = readRelease({
    sourceDateEpoch: process.env["SOURCE_DATE_EPOCH"],
    maintainer: process.env["FLEETBAN_MAINTAINER"],
  });
  await (flag === undefined ? makeDist(release) : check(release));
} catch (error) {
  process.exitCode = explainExit("package", error);
}
