/** What to run so that the agent may read a file. */
import { closeSync, constants, openSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { isErrno } from "../../../process/file-error.ts";

/** The group that reads for the agent: that of its package. */
const GROUP = "fleetban-agent";

/** Commands for an administrator; undefined: it may be read, or is not there. */
export function permissionRemedy(path: string): string | undefined {
  const closed = closedFolderOf(path);
  if (closed !== undefined) return `chgrp ${GROUP} ${closed} && chmod g+rx ${closed}`;
  if (!isDenied(() => closeSync(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)))) {
    return undefined;
  }
  return (
    `chgrp ${GROUP} ${path} && chmod 640 ${path}; whatever rotates the log must do so, too ` +
    `(logrotate: create 640 root ${GROUP})`
  );
}

/** The first folder on the way to a file that the agent may not pass through. */
function closedFolderOf(path: string): string | undefined {
  const folder = dirname(path);
  const above = folder === "/" ? undefined : closedFolderOf(folder);
  return above ?? (isDenied(() => statSync(join(folder, "."))) ? folder : undefined);
}

function isDenied(attempt: () => unknown): boolean {
  try {
    attempt();
    return false;
  } catch (error) {
    return isErrno(error, "EACCES");
  }
}
