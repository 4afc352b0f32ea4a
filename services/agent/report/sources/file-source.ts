/**
 * Follows a log file through its rotations and hands out its lines, each once.
 *
 * waiting: there is no file. reading: a file is open, and its directory is watched; a stat
 * every second is the safety net. rename+create: the old file is read until the new one
 * has its first bytes, because a writer goes on with the old one until it is told to
 * reopen. copytruncate: the file no longer holds what was read of it; what was not
 * read yet is in the copy.
 *
 * Positions count bytes from the start of the epoch, over all files.
 */
import { explainFileError } from "../../../process/file-error.ts";
import type { FileBookmark } from "../checkpoint.ts";
import { createDirectoryWatch } from "./directory-watch.ts";
import { openCompressedLog } from "./compressed-log.ts";
import { hasFingerprint, type Fingerprint } from "./fingerprint.ts";
import { openLogFile, type LogFile } from "./log-file.ts";
import { permissionRemedy } from "./read-permission.ts";
import { isCompressed, siblingsOf, statOf, type Sibling } from "./siblings.ts";
import { newEpoch, type Source, type SourceOptions } from "./source.ts";

export interface FileSourceOptions extends SourceOptions<FileBookmark> {
  path: string;
  /** The epoch of a file that is read without a bookmark; left out: one that nobody had before. */
  epoch?: string;
}

const POLL_MS = 1_000;
/**
 * Lines are fresh when everything before them had been read no longer ago than that. It is more than a
 * poll, and not as long as the time for which a process is stopped or a machine sleeps.
 */
const FRESH_MS = 3_000;
/** The inode of a bookmark made while there was no file. */
const NO_FILE = 0;

export function openFileSource(options: FileSourceOptions): Source<FileBookmark> {
  const { path, onLines, onOverlong, onGap, onFailed, say } = options;
  let file: LogFile | undefined;
  let epoch = options.bookmark?.epoch ?? options.epoch ?? newEpoch();
  /** Position of the open file's first byte. */
  let base = 0;
  /** Where to begin has been found; until then the bookmark stands. */
  let begun = false;
  /** The new file has been seen to be written to: the old one is read once more, then left. */
  let leaving = false;
  /** Why it cannot be read. */
  let trouble: string | undefined;
  /** When all that was written had been read, epoch milliseconds; undefined: not in this file yet. */
  let caughtUpAt: number | undefined;
  const run = { stopped: false, pumping: false, again: false };

  const position = () => base + (file?.offset() ?? 0);

  /** Opens a file, so that its byte at `offset` has the position `at`. */
  function open(target: string, offset: number, at: number): boolean {
    // Where it may not be read, it throws.
    const opened = isCompressed(target)
      ? openCompressedLog(target, offset, { onOverlong, onGap })
      : openLogFile(target, offset, onOverlong);
    file?.close();
    file = opened;
    base = at - offset;
    leaving = false;
    caughtUpAt = undefined;
    return file !== undefined;
  }

  function begin(): void {
    const { bookmark, startAt } = options;
    if (!bookmark) {
      const size = statOf(path)?.size ?? 0;
      open(path, startAt === "end" ? size : 0, 0);
    } else if (bookmark.inode === NO_FILE) open(path, 0, bookmark.position);
    else resume(bookmark);
    begun = true;
    say(file ? "source is read" : "source waits for its file", { path, offset: file?.offset() });
  }

  function resume(bookmark: FileBookmark): void {
    const siblings = siblingsOf(path);
    const present = statOf(path);
    const candidates = present ? [{ path, stats: present }, ...siblings] : siblings;
    const begins = ({ path: target, stats }: Sibling) =>
      (isCompressed(target) || stats.size >= bookmark.offset) &&
      hasFingerprint(target, bookmark.fingerprint);
    const isSame = ({ stats }: Sibling) =>
      stats.ino === bookmark.inode && stats.dev === bookmark.device;
    // By its inode; or a copy that begins the same, when it was copied and truncated.
    const found =
      candidates.filter(isSame).find(begins) ??
      (bookmark.fingerprint.length > 0 ? siblings.find(begins) : undefined);
    if (!found) {
      onGap(`what was read of ${path} is not there any more, also not among its rotated files`);
      epoch = newEpoch(); // what was read is not to be told from what was not
      open(path, 0, 0);
      return;
    }
    open(found.path, bookmark.offset, bookmark.position);
  }

  /** The file to be read after the open one; undefined: none yet. */
  function following(open: LogFile): string | undefined {
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

  /** Is it the open file, that was compressed after it was opened? */
  function isCompressedCopy({ path: target }: Sibling, open: LogFile): boolean {
    const print = open.fingerprint();
    return isCompressed(target) && print.length > 0 && hasFingerprint(target, print);
  }

  /** The open file has no more lines now. Returns whether another look may find some. */
  function moveOn(): boolean {
    if (!file) {
      if (!statOf(path) || !open(path, 0, position())) return false;
      say("source is read", { path });
      return true;
    }
    const target = following(file);
    if (target === undefined) return false;
    if (!leaving) {
      leaving = true;
      return true;
    }
    say("source was rotated", { path });
    return open(target, 0, position());
  }

  /** Reads what is left in the copy, then the file from its beginning. */
  function afterTruncation(truncated: LogFile): void {
    say("source was truncated", { path });
    const print: Fingerprint = truncated.fingerprint();
    const copy = siblingsOf(path)
      .reverse()
      .find(({ stats, path: target }) => {
        const isLonger = isCompressed(target) || stats.size > truncated.offset();
        const hasMore = stats.ino !== truncated.inode && isLonger;
        return hasMore && print.length > 0 && hasFingerprint(target, print);
      });
    if (copy) open(copy.path, truncated.offset(), position());
    else open(path, 0, position());
  }

  async function drain(): Promise<void> {
    if (!begun) begin();
    while (!run.stopped) {
      if (file && !file.isIntact()) afterTruncation(file);
      const opened = file;
      const taken = opened?.take();
      const lines = taken instanceof Promise ? await taken : taken;
      if (opened !== file) continue; // closed meanwhile
      if (lines && lines.length > 0) {
        const [to, isFresh] = [position(), isCaughtUp()];
        await onLines({ lines, from: to - lines.length, to, epoch, isFresh });
      } else if (!moveOn()) {
        caughtUpAt = Date.now();
        return;
      }
    }
  }

  function fail(error: unknown): void {
    const remedy = permissionRemedy(path);
    const reason = explainFileError(error);
    const known = trouble;
    trouble = remedy === undefined ? reason : `${reason}: ${remedy}`;
    if (known === undefined) onFailed(trouble);
  }

  function isCaughtUp(): boolean {
    return caughtUpAt !== undefined && Math.abs(Date.now() - caughtUpAt) <= FRESH_MS;
  }

  /** Reads all there is; a call while it reads makes it look once more. */
  async function pump(): Promise<void> {
    run.again = true;
    if (run.pumping) return;
    run.pumping = true;
    try {
      while (run.again && !run.stopped) {
        run.again = false;
        await drain();
      }
      trouble = undefined;
    } catch (error) {
      fail(error);
    } finally {
      run.pumping = false;
    }
  }

  const watched = createDirectoryWatch(path, () => void pump());
  let poll: NodeJS.Timeout | undefined;
  try {
    begin();
  } catch (error) {
    fail(error);
  }

  return {
    start() {
      watched.ensure();
      poll = setInterval(() => {
        watched.ensure();
        void pump();
      }, POLL_MS);
      void pump();
    },
    bookmark() {
      if (!begun) return options.bookmark;
      return {
        epoch,
        position: position(),
        device: file?.device ?? 0,
        inode: file?.inode ?? NO_FILE,
        offset: file?.offset() ?? 0,
        fingerprint: file?.fingerprint() ?? { length: 0, hash: "" },
      };
    },
    state: () => (trouble !== undefined ? "failed" : file ? "reading" : "waiting"),
    trouble: () => trouble,
    lag: () => (file ? Math.max(file.size() - file.offset(), 0) : 0),
    stop() {
      run.stopped = true;
      clearInterval(poll);
      watched.close();
      file?.close();
      file = undefined;
    },
  };
}
