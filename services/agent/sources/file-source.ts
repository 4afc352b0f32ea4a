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
import { watch, type FSWatcher } from "node:fs";
import { basename, dirname } from "node:path";
import type { FileBookmark } from "../checkpoint.ts";
import { hasFingerprint, openLogFile, type Fingerprint, type LogFile } from "./log-file.ts";
import { siblingsOf, statOf, type Sibling } from "./siblings.ts";
import { newEpoch, type Source, type SourceOptions } from "./source.ts";

export interface FileSourceOptions extends SourceOptions<FileBookmark> {
  path: string;
}

const POLL_MS = 1_000;
/** The inode of a bookmark made while there was no file. */
const NO_FILE = 0;

export function openFileSource(options: FileSourceOptions): Source<FileBookmark> {
  const { path, onLines, onOverlong, say } = options;
  const name = basename(path);
  let file: LogFile | undefined;
  /** Files between the open one and `path`, oldest first. */
  let next: string[] = [];
  let epoch = options.bookmark?.epoch ?? newEpoch();
  /** Position of the open file's first byte. */
  let base = 0;
  /** The new file has been seen to be written to: the old one is read once more, then left. */
  let leaving = false;
  let failed = false;
  let watcher: FSWatcher | undefined;
  const run = { stopped: false, pumping: false, again: false };

  const position = () => base + (file?.offset() ?? 0);

  /** Opens a file, so that its byte at `offset` has the position `at`. */
  function open(target: string, offset: number, at: number): boolean {
    file?.close();
    file = openLogFile(target, offset, onOverlong);
    base = at - offset;
    leaving = false;
    return file !== undefined;
  }

  function begin(): void {
    const { bookmark, startAt } = options;
    if (!bookmark) {
      const size = statOf(path)?.size ?? 0;
      open(path, startAt === "end" ? size : 0, 0);
    } else if (bookmark.inode === NO_FILE) open(path, 0, bookmark.position);
    else resume(bookmark);
    say(file ? "source is read" : "source waits for its file", { path, offset: file?.offset() });
  }

  function resume(bookmark: FileBookmark): void {
    const siblings = siblingsOf(path);
    const present = statOf(path);
    const candidates = present ? [{ path, stats: present }, ...siblings] : siblings;
    const begins = ({ path: target, stats }: Sibling) =>
      stats.size >= bookmark.offset && hasFingerprint(target, bookmark.fingerprint);
    const isSame = ({ stats }: Sibling) =>
      stats.ino === bookmark.inode && stats.dev === bookmark.device;
    // By its inode; or a copy that begins the same, when it was copied and truncated.
    const found =
      candidates.filter(isSame).find(begins) ??
      (bookmark.fingerprint.length > 0 ? siblings.find(begins) : undefined);
    if (!found) {
      say("source cannot go on: its file is gone; the present one is read", { path });
      epoch = newEpoch(); // what was read is not to be told from what was not
      open(path, 0, 0);
      return;
    }
    const isNewer = ({ stats }: Sibling) =>
      stats.mtimeMs > found.stats.mtimeMs && stats.ino !== found.stats.ino;
    next = found.path === path ? [] : siblings.filter(isNewer).map((sibling) => sibling.path);
    open(found.path, bookmark.offset, bookmark.position);
  }

  /** The open file has no more lines now. Returns whether another look may find some. */
  function moveOn(): boolean {
    if (!file) {
      if (!statOf(path)) return false;
      say("source is read", { path });
      return open(path, 0, position());
    }
    const following = next.shift();
    if (following !== undefined) {
      open(following, 0, position());
      return true;
    }
    const stats = statOf(path);
    const isOpen = stats?.ino === file.inode && stats.dev === file.device;
    if (!stats || isOpen || stats.size === 0) return false;
    if (!leaving) {
      leaving = true;
      return true;
    }
    say("source was rotated", { path });
    return open(path, 0, position());
  }

  /** Reads what is left in the copy, then the file from its beginning. */
  function afterTruncation(truncated: LogFile): void {
    say("source was truncated", { path });
    const print: Fingerprint = truncated.fingerprint();
    const copy = siblingsOf(path)
      .reverse()
      .find(({ stats, path: target }) => {
        const hasMore = stats.ino !== truncated.inode && stats.size > truncated.offset();
        return hasMore && print.length > 0 && hasFingerprint(target, print);
      });
    if (copy) {
      next = [path];
      open(copy.path, truncated.offset(), position());
    } else open(path, 0, position());
  }

  async function drain(): Promise<void> {
    while (!run.stopped) {
      if (file && !file.isIntact()) afterTruncation(file);
      const lines = file?.take();
      if (lines && lines.length > 0) {
        await onLines(lines, position() - lines.length, position(), epoch);
      } else if (!moveOn()) return;
    }
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
      failed = false;
    } catch (error) {
      if (!failed) say("source cannot be read", { path, reason: String(error) });
      failed = true;
    } finally {
      run.pumping = false;
    }
  }

  function watchDirectory(): void {
    try {
      watcher = watch(dirname(path), (_event, changed) => {
        if (changed === null || changed.startsWith(name)) void pump();
      });
      watcher.on("error", () => {
        watcher?.close(); // the poll goes on, and watches again
        watcher = undefined;
      });
    } catch {
      watcher = undefined; // no such directory yet
    }
  }

  let poll: NodeJS.Timeout | undefined;
  try {
    begin();
  } catch (error) {
    failed = true;
    say("source cannot be read", { path, reason: String(error) });
  }

  return {
    start() {
      watchDirectory();
      poll = setInterval(() => {
        if (!watcher) watchDirectory();
        void pump();
      }, POLL_MS);
      void pump();
    },
    bookmark: () => ({
      epoch,
      position: position(),
      device: file?.device ?? 0,
      inode: file?.inode ?? NO_FILE,
      offset: file?.offset() ?? 0,
      fingerprint: file?.fingerprint() ?? { length: 0, hash: "" },
    }),
    state: () => (failed ? "failed" : file ? "reading" : "waiting"),
    lag: () => (file ? Math.max(file.size() - file.offset(), 0) : 0),
    stop() {
      run.stopped = true;
      clearInterval(poll);
      watcher?.close();
      file?.close();
      file = undefined;
    },
  };
}
