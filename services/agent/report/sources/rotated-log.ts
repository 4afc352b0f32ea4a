/**
 * Where the lines of a log go on after one of its files was rotated, truncated, copied or
 * compressed. Every question is asked of the directory as it is at that moment; nothing is opened.
 */
import type { FileBookmark } from "../checkpoint.ts";
import { hasFingerprint } from "./fingerprint.ts";
import type { LogFile } from "./log-file.ts";
import { isCompressed, siblingsOf, statOf, type Sibling } from "./siblings.ts";

/**
 * The file that a bookmark was made in, now perhaps under another name; undefined: it is gone. The
 * file is known by its inode; or it is a copy that begins the same, when the log was copied and
 * truncated.
 */
export function findBookmarked(path: string, bookmark: FileBookmark): string | undefined {
  const siblings = siblingsOf(path);
  const present = statOf(path);
  const candidates = present ? [{ path, stats: present }, ...siblings] : siblings;
  const begins = ({ path: target, stats }: Sibling) =>
    (isCompressed(target) || stats.size >= bookmark.offset) &&
    hasFingerprint(target, bookmark.fingerprint);
  const isSame = ({ stats }: Sibling) =>
    stats.ino === bookmark.inode && stats.dev === bookmark.device;
  const found =
    candidates.filter(isSame).find(begins) ??
    (bookmark.fingerprint.length > 0 ? siblings.find(begins) : undefined);
  return found?.path;
}

/** The file to be read after the open one; undefined: there is none yet. */
export function findSuccessor(path: string, open: LogFile): string | undefined {
  const stats = statOf(path);
  if (stats?.ino === open.inode && stats.dev === open.device) return undefined;
  const rotated = siblingsOf(path).find(
    (sibling) =>
      sibling.stats.mtimeMs > open.modifiedAt() &&
      sibling.stats.ino !== open.inode &&
      !isCompressedCopy(sibling, open),
  );
  return rotated?.path ?? (stats && stats.size > 0 ? path : undefined);
}

/** Is this the open file, compressed after it was opened? */
function isCompressedCopy({ path: target }: Sibling, open: LogFile): boolean {
  const print = open.fingerprint();
  return isCompressed(target) && print.length > 0 && hasFingerprint(target, print);
}

/** The copy that has what was not read of a file before it was truncated; undefined: there is none. */
export function findCopy(path: string, truncated: LogFile): string | undefined {
  const print = truncated.fingerprint();
  const copy = siblingsOf(path)
    .reverse()
    .find(({ stats, path: target }) => {
      const isLonger = isCompressed(target) || stats.size > truncated.offset();
      const hasMore = stats.ino !== truncated.inode && isLonger;
      return hasMore && print.length > 0 && hasFingerprint(target, print);
    });
  return copy?.path;
}
