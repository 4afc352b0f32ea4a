/**
 * Whether this host's state can be written down. A full disk or a read-only file system is no
 * reason to stop: bans are enforced and failures published without it. The last checkpoint
 * that could be written says from where to go on after a restart; what was published since is told
 * again, and dropped by who has counted it.
 */
import { explainFileError } from "../../process/file-error.ts";
import type { Log } from "../../process/log.ts";

export interface StateHealth {
  /** What is written by itself: a small file may fit where a larger one does not. */
  of(file: string): FileHealth;
  /** Why some of it cannot be written now, in words; undefined: it can, as far as is known. */
  trouble(): string | undefined;
}

export interface FileHealth {
  /** It could not be written; says so once. Throws what is no trouble of the storage. */
  failed(error: unknown): void;
  /** It could be written. */
  written(): void;
}

const AILMENTS: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", "EROFS", "EIO"]);

/** What ails the storage, in words; undefined: the error is about something else. */
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
        const reason = storageTrouble(error);
        if (reason === undefined) throw error;
        if (reason !== trouble())
          log.error({ folder, reason }, "cannot write state, continuing without it");
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
