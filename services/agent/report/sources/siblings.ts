/** Rotated files of a log, as logrotate names them: mail.log.1, mail.log-20260303, mail.log.2.gz. */
import { readdirSync, realpathSync, statSync, type Stats } from "node:fs";
import { basename, dirname, join } from "node:path";

export interface Sibling {
  path: string;
  stats: Stats;
}

/** A number or a date behind the log's name, or what people write there by hand. */
const SUFFIX = String.raw`(?:[.-]\d[-\d.:_T]*|[.-](?:old|prev|bak|orig))(?:\.gz)?$`;
const ROTATED = new RegExp(`^${SUFFIX}`);
const ROTATED_PATH = new RegExp(`^(.*[^/])${SUFFIX}`, "s");

export const isCompressed = (path: string): boolean => path.endsWith(".gz");

/**
 * Oldest first, of those that are being compressed the one that is still whole; where the log is a symbolic link, those of the file that it
 * leads to.
 */
export function siblingsOf(path: string): Sibling[] {
  const target = realPathOf(path);
  const directory = dirname(target);
  const name = basename(target);
  const entries = readdirSync(directory);
  const isBeingMade = (entry: string) =>
    isCompressed(entry) && entries.includes(entry.slice(0, -".gz".length));
  return entries
    .filter((entry) => entry.startsWith(name) && ROTATED.test(entry.slice(name.length)))
    .filter((entry) => !isBeingMade(entry))
    .flatMap((entry) => {
      const sibling = join(directory, entry);
      const stats = statOf(sibling);
      return stats?.isFile() ? [{ path: sibling, stats }] : [];
    })
    .sort((a, b) => a.stats.mtimeMs - b.stats.mtimeMs);
}

/** The log that a file of this name would be rotated from: /var/log/mail.log for /var/log/mail.log.1. */
export function rotatedFrom(path: string): string | undefined {
  return ROTATED_PATH.exec(path)?.[1];
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
