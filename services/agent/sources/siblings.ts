/** Rotated files of a log, as logrotate names them: mail.log.1, mail.log-20260303. */
import { readdirSync, realpathSync, statSync, type Stats } from "node:fs";
import { basename, dirname, join } from "node:path";

export interface Sibling {
  path: string;
  stats: Stats;
}

/** A number or a date behind the log's name, or what people write there by hand. */
const ROTATED = /^(?:[.-]\d[-\d.:_T]*|[.-](?:old|prev|bak|orig))$/;

/**
 * Uncompressed ones, oldest first; where the log is a symbolic link, those of the file that it
 * leads to.
 */
export function siblingsOf(path: string): Sibling[] {
  const target = realPathOf(path);
  const directory = dirname(target);
  const name = basename(target);
  return readdirSync(directory)
    .filter((entry) => entry.startsWith(name) && ROTATED.test(entry.slice(name.length)))
    .flatMap((entry) => {
      const sibling = join(directory, entry);
      const stats = statOf(sibling);
      return stats?.isFile() ? [{ path: sibling, stats }] : [];
    })
    .sort((a, b) => a.stats.mtimeMs - b.stats.mtimeMs);
}

/** undefined: there is no such file. */
export function statOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

/** Where a symbolic link leads; the path itself while it leads nowhere. */
export function realPathOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
