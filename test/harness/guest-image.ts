/**
 * Images of Debian for guests: made once by mmdebstrap, kept outside the repository, never changed
 * afterwards. A guest has no way out of its network, so an image holds an archive of packages of its
 * own, from which apt installs inside.
 */
import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../services/agent/firewall/command.ts";

export const CACHE = process.env["FLEETBAN_TEST_CACHE"] ?? "/var/cache/fleetban-test";

export type Suite = "bookworm" | "trixie";

const INSTALLED = [
  ...["systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "python3", "python3-apt"],
  ...["dovecot-imapd", "dovecot-pop3d", "iproute2", "procps", "logrotate", "libpam-modules"],
];

/** What a mail host of this suite has besides; trixie is to have nothing but the journal. */
const MORE: Readonly<Record<Suite, readonly string[]>> = { bookworm: ["rsyslog"], trixie: [] };

/** What apt finds in the image's own archive, with all that these need. */
const ARCHIVED = ["iptables", "ipset", "nftables", "nats-server", "postgresql"];

const ARCHIVE = "srv/archive";
const SOURCE = `deb [trusted=yes] file:/${ARCHIVE} ./\n`;

/** Counts up when what is below makes another image of the same packages. */
const EDITION = 2;

/** The folder of the image; makes it where there is none, which takes half a minute. */
export async function ensureImage(suite: Suite, say: (line: string) => void): Promise<string> {
  const installed = [...INSTALLED, ...MORE[suite]].join(",");
  const key = createHash("sha256")
    .update(JSON.stringify([EDITION, suite, installed, ARCHIVED]))
    .digest("hex")
    .slice(0, 12);
  const image = join(CACHE, `${suite}-${key}`);
  if (existsSync(image)) return image;
  say(`making an image of ${suite}: ${image}`);
  await mkdir(CACHE, { recursive: true, mode: 0o755 });
  const partial = `${image}.${randomBytes(4).toString("hex")}`;
  try {
    const download = "apt-get -q install -y --no-install-recommends --download-only";
    await run("mmdebstrap", [
      "--quiet",
      "--variant=minbase",
      // The lists stay, for what is downloaded next; they go with the sources below.
      "--skip=cleanup/apt",
      `--include=${installed}`,
      '--customize-hook=chroot "$1" apt-get clean',
      `--customize-hook=chroot "$1" ${download} ${ARCHIVED.join(" ")}`,
      suite,
      partial,
    ]);
    await makeArchive(partial);
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
  // What every guest is to have of its own.
  for (const path of ["etc/machine-id", "etc/hostname"])
    await rm(join(image, path), { force: true });
  for (const type of ["rsa", "ecdsa", "ed25519"]) {
    await rm(join(image, `etc/ssh/ssh_host_${type}_key`), { force: true });
    await rm(join(image, `etc/ssh/ssh_host_${type}_key.pub`), { force: true });
  }
  await run("chroot", [image, "useradd", "--create-home", "--shell", "/bin/bash", "admin"]);
  const sudoers = join(image, "etc/sudoers.d/admin");
  await writeFile(sudoers, "admin ALL=(ALL) NOPASSWD: ALL\n", { mode: 0o440 });
}
