/** Images of Debian for guests: with systemd, sshd and Dovecot, and an administrator who may become root. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../services/agent/enforce/firewall/command.ts";
import { ensureDebianImage, type Suite } from "./debian-image.ts";

const INSTALLED = [
  ...["systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "python3", "python3-apt"],
  ...["dovecot-imapd", "dovecot-pop3d", "iproute2", "procps", "logrotate", "libpam-modules"],
];

/** What a mail host of this suite has besides; trixie is to have nothing but the journal. */
const MORE: Readonly<Record<Suite, readonly string[]>> = { bookworm: ["rsyslog"], trixie: [] };

/** What can be installed. bookworm stands in for Enterprise Linux, too. */
const ARCHIVED: Readonly<Record<Suite, readonly string[]>> = {
  bookworm: [
    ...["iptables", "ipset", "nftables", "nats-server", "postgresql"],
    ...["rpm", "dnf", "python3-dnf"],
    ...["ansible-core", "fail2ban", "python3-systemd"],
  ],
  trixie: [
    ...["iptables", "ipset", "nftables", "nats-server", "postgresql"],
    ...["fail2ban", "python3-systemd"],
  ],
};

/** Counts up when what is below makes another image of the same packages. */
const EDITION = 2;

/** The folder of the image; makes it where there is none. */
export function ensureImage(suite: Suite, say: (line: string) => void): Promise<string> {
  return ensureDebianImage(
    {
      ...{ name: suite, suite, edition: EDITION, finish },
      installed: [...INSTALLED, ...MORE[suite]],
      archived: ARCHIVED[suite],
    },
    say,
  );
}

async function finish(image: string): Promise<void> {
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
