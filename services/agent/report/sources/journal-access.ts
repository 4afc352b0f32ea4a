/**
 * Whether the journal can be read. journalctl waits in silence where it may read none of the journal's
 * files, and where there are none.
 */
import { closeSync, constants, openSync, readdirSync } from "node:fs";
import { join } from "node:path";

const FOLDERS = ["/var/log/journal", "/run/log/journal"] as const;

/** Why no entry can be read, and what to do about it; undefined: the journal can be read. */
export function journalTrouble(directory: string | undefined): string | undefined {
  const folders = directory === undefined ? FOLDERS : [directory];
  const files = folders.flatMap(journalFiles);
  if (files.some(isReadable)) return undefined;
  const where = folders.join(" and ");
  if (files.length === 0) {
    return `there is no journal in ${where}: is journald running, and Storage= in journald.conf not none?`;
  }
  return (
    `the journal's files in ${where} may not be read: put the agent's user into the group ` +
    "systemd-journal (usermod -aG systemd-journal fleetban-agent), then restart the agent"
  );
}

/** The journal's files in a folder and in the folders of machines below it. */
function journalFiles(folder: string): string[] {
  return namesIn(folder).flatMap((name) => {
    const path = join(folder, name);
    if (name.endsWith(".journal")) return [path];
    return namesIn(path)
      .filter((below) => below.endsWith(".journal"))
      .map((below) => join(path, below));
  });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // no folder, or none that may be read: its files are not readable either
  }
}

function isReadable(path: string): boolean {
  try {
    closeSync(openSync(path, constants.O_RDONLY));
    return true;
  } catch {
    return false;
  }
}
