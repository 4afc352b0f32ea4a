/**
 * Whether this host's state can be written down. A full disk, or a folder that was removed or given
 * to another user, is no reason to stop: the agent enforces bans and publishes failures without it.
 * The last checkpoint that could be written says from where the agent goes on after a restart; it
 * publishes again what came since, and the coordinator drops what it has counted.
 */
import { explainFileError, isErrno } from "../../process/file-error.ts";
import type { Log } from "../../process/log.ts";

export interface StateHealth {
  /** What is written by itself: a small file may fit where a larger one does not. */
  of(file: string): FileHealth;
  /** Why some of it cannot be written now, in words; undefined: it can, as far as is known. */
  trouble(): string | undefined;
}

export interface FileHealth {
  /** The file could not be written, for whatever reason; the log says so once. */
  failed(error: unknown): void;
  /** It could be written. */
  written(): void;
}

const AILMENTS: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", "EROFS", "EIO"]);

/** What ails the storage, in words; undefined: the error is about something else, such as rights. */
export function storageTrouble(error: unknown): string | undefined {
  const isAilment = error instanceof Error && "code" in error && AILMENTS.has(error.code);
  return isAilment ? explainFileError(error) : undefined;
}

export function createStateHealth(folder: string, log: Log): StateHealth {
  const troubles = new Map<string, string>();
  const trouble = () => [...troubles.values()][0];
  return {
    of: (file) => ({
      failed(error) {
        const reason = `${folder}: ${explainWriteError(error)}`;
        if (reason !== trouble())
          log.error({ reason }, "cannot write state, continuing without it");
        troubles.set(file, reason);
      },
      written() {
        if (troubles.delete(file) && troubles.size === 0) {
          log.info({ folder }, "state is written again");
        }
      },
    }),
    trouble,
  };
}

/** A file that is written is made anew: what does not exist is its folder. */
function explainWriteError(error: unknown): string {
  const isGone = isErrno(error, "ENOENT");
  return isGone ? "the folder is gone" : explainFileError(error);
}
