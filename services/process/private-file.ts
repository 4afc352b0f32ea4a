/** Files with secrets: who may read them, and how an administrator corrects their mode. */
import { statSync } from "node:fs";
import { userInfo } from "node:os";
import { explainFileError, isErrno } from "./file-error.ts";

/** Why others may know a file's secret; undefined: only its owner or the daemon's group reads it. */
export function whyExposed(file: string): string | undefined {
  const { mode, uid } = statSync(file);
  // root may let a daemon's own group read it: root:fleetban-agent 0640.
  const tolerated = uid === 0 ? 0o040 : 0;
  if ((mode & 0o077 & ~tolerated) === 0) return undefined;
  const found = `its mode is ${(mode & 0o777).toString(8)}`;
  return `others may use it, ${found}; ${closingRemedy(file, uid)}`;
}

function closingRemedy(file: string, owner: number): string {
  const group = daemonGroup();
  return owner === 0 && group !== undefined ? readingRemedy(file, group) : `chmod 600 ${file}`;
}

/** Why `file` could not be read, and what lets the daemon of this user read it. */
export function whyUnreadable(file: string, cause: unknown): string {
  return isDenied(cause) ? whyDenied(file) : explainFileError(cause);
}

/** May this user not read the file? */
export const isDenied = (cause: unknown): boolean => isErrno(cause, "EACCES");

/** The command that lets the daemon of this user read `file`. */
export function whyDenied(file: string): string {
  const group = daemonGroup();
  return group === undefined
    ? "permission denied"
    : `permission denied; ${readingRemedy(file, group)}`;
}

function readingRemedy(file: string, group: string): string {
  return `chgrp ${group} ${file} && chmod 640 ${file}`;
}

/** The group of the package's daemon, when this process is one. */
function daemonGroup(): string | undefined {
  try {
    const { username } = userInfo();
    return username.startsWith("fleetban-") ? username : undefined;
  } catch {
    return undefined; // a user without a name
  }
}
