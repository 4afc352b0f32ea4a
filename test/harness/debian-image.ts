/**
 * Root folders of Debian: made once by mmdebstrap, kept outside the repository, never changed
 * afterwards. Who uses one has no way out of its network, so it may hold an archive of packages of
 * its own, from which apt installs inside.
 */
import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../services/agent/enforce/firewall/command.ts";

export const CACHE = process.env["FLEETBAN_TEST_CACHE"] ?? "/var/cache/fleetban-test";

export type Suite = "bookworm" | "trixie";

export interface ImageRecipe {
  name: string;
  suite: Suite;
  /** Counts up when what is not in this recipe makes another image. */
  edition: number;
  installed: readonly string[];
  /** What apt finds in the image's own archive, with all that these need; empty: there is none. */
  archived: readonly string[];
  /** What is done to it last. */
  finish?: (image: string) => Promise<void>;
}

const ARCHIVE = "srv/archive";
const SOURCE = `deb [trusted=yes] file:/${ARCHIVE} ./\n`;

/** The folder of the image; makes it where there is none, which takes half a minute. */
export async function ensureDebianImage(
  recipe: ImageRecipe,
  say: (line: string) => void,
): Promise<string> {
  const { name, suite, edition, installed, archived, finish } = recipe;
  const key = createHash("sha256")
    .update(JSON.stringify([edition, suite, installed.join(","), archived]))
    .digest("hex")
    .slice(0, 12);
  const image = join(CACHE, `${name}-${key}`);
  if (existsSync(image)) return image;
  say(`making an image: ${image}`);
  await mkdir(CACHE, { recursive: true, mode: 0o755 });
  const partial = `${image}.${randomBytes(4).toString("hex")}`;
  const download = "apt-get -q install -y --no-install-recommends --download-only";
  try {
    await run("mmdebstrap", [
      "--quiet",
      "--variant=minbase",
      // The lists stay, for what is downloaded next; they go with the sources below.
      "--skip=cleanup/apt",
      `--include=${installed.join(",")}`,
      '--customize-hook=chroot "$1" apt-get clean',
      ...(archived.length === 0
        ? []
        : [`--customize-hook=chroot "$1" ${download} ${archived.join(" ")}`]),
      suite,
      partial,
    ]);
    await makeArchive(partial);
    await finish?.(partial);
    // Who starts first has made it; both are the same.
    await rename(partial, image).catch(() => rm(partial, { recursive: true, force: true }));
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
  return image;
}

async function makeArchive(image: string): Promise<void> {
  await rename(join(image, "var/cache/apt/archives"), join(image, ARCHIVE));
  await mkdir(join(image, "var/cache/apt/archives/partial"), { recursive: true });
  const index = await run("dpkg-scanpackages", ["--multiversion", join(image, ARCHIVE)]);
  const relative = index.replaceAll(`Filename: ${join(image, ARCHIVE)}/`, "Filename: ./");
  await writeFile(join(image, ARCHIVE, "Packages"), relative);
  await rm(join(image, "etc/apt/sources.list"), { force: true });
  await rm(join(image, "etc/apt/sources.list.d"), { recursive: true, force: true });
  await rm(join(image, "var/lib/apt/lists"), { recursive: true, force: true });
  await mkdir(join(image, "var/lib/apt/lists/partial"), { recursive: true });
  await mkdir(join(image, "etc/apt/sources.list.d"), { recursive: true });
  await writeFile(join(image, "etc/apt/sources.list.d/archive.list"), SOURCE);
  await run("chroot", [image, "apt-get", "-q", "update"]);
}
