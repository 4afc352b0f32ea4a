/**
 * systemd's unit files. They are read as files: an agent may have no way to ask systemd, because it
 * runs in a container, or without D-Bus.
 */
import { readlinkSync, statSync } from "node:fs";
import { basename, join } from "node:path";

/** The folders of systemd's units, the ones that win first. */
const FOLDERS = [
  ...["/etc/systemd/system.control", "/run/systemd/system.control", "/run/systemd/transient"],
  ...["/run/systemd/generator.early", "/etc/systemd/system", "/etc/systemd/system.attached"],
  ...["/run/systemd/system", "/run/systemd/system.attached", "/run/systemd/generator"],
  ...["/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"],
  "/run/systemd/generator.late",
] as const;

/** Units that distributions call differently: Debian has ssh.service, others have sshd.service. */
const SAME_UNITS = [["ssh.service", "sshd.service"]] as const;

/**
 * The names under which a unit's entries may stand in the journal: systemd writes the name of the
 * file that an alias leads to.
 */
export function aliasesOf(unit: string, folders: readonly string[] = FOLDERS): string[] {
  const names = new Set([unit]);
  const same = SAME_UNITS.find((each) => each.some((name) => name === unit));
  for (const name of same ?? []) names.add(name);
  for (const folder of folders) {
    const target = linkTarget(join(folder, unit));
    if (target !== undefined && target.endsWith(".service")) names.add(target);
  }
  return [...names];
}

/**
 * Is there such a unit? undefined where nobody can tell: this machine has no systemd, or it is in a
 * container that does not see the host's units.
 */
export function hasUnit(unit: string, folders: readonly string[] = FOLDERS): boolean | undefined {
  const present = folders.filter(exists);
  if (!present.some((folder) => exists(join(folder, "multi-user.target")))) return undefined;
  const names = aliasesOf(unit, folders);
  // dovecot@one.service is made of dovecot@.service.
  const templates = names.map((name) => name.replace(/@.*\.service$/, "@.service"));
  return present.some((folder) =>
    [...names, ...templates].some((name) => exists(join(folder, name))),
  );
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** The name of the file that a link leads to; undefined where there is no link. */
function linkTarget(path: string): string | undefined {
  try {
    return basename(readlinkSync(path));
  } catch {
    return undefined;
  }
}
