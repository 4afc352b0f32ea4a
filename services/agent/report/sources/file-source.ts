/**
 * Follows a log file through its rotations and hands out its lines, each once.
 *
 * While a file is open, its directory is watched; a stat every second is the safety net.
 * rename+create: the old file is read until the new one has its first bytes, because a writer goes
 * on with the old one until it is told to reopen. copytruncate: the file no longer holds what was
 * read of it; what was not read yet is in the copy.
 *
 * Invariants:
 * - Positions count bytes from the start of the epoch, over all files.
 * - Until the place to begin at was found, the last run's bookmark stands.
 */
import { explainFileError } from "../../../process/file-error.ts";
import type { FileBookmark } from "../checkpoint.ts";
import { createDirectoryWatch } from "./directory-watch.ts";
import { openCompressedLog } from "./compressed-log.ts";
import { openLogFile, type LogFile } from "./log-file.ts";
import { permissionRemedy } from "./read-permission.ts";
import { RepeatableWork } from "../../../process/repeatable-work.ts";
import { findBookmarked, findCopy, findSuccessor } from "./rotated-log.ts";
import { isCompressed, statOf } from "./siblings.ts";
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
  const reader = new LogReader(options);
  const reading: RepeatableWork = new RepeatableWork(() =>
    reader.readAll(() => reading.isStopped()),
  );
  const watched = createDirectoryWatch(options.path, () => void reading.ask());
  const look = () => {
    watched.ensure();
    void reading.ask();
  };
  let poll: NodeJS.Timeout | undefined;
  reader.tryToBegin();
  return {
    start() {
      watched.ensure();
      poll = setInterval(look, POLL_MS);
      void reading.ask();
    },
    bookmark: () => reader.bookmark(),
    state: () => reader.state(),
    trouble: () => reader.trouble(),
    lag: () => reader.lag(),
    stop() {
      reading.stop();
      clearInterval(poll);
      watched.close();
      reader.close();
    },
  };
}

type Phase =
  | { phase: "not-begun" } // Where to begin has not been found.
  | { phase: "waiting"; base: number } // There is no file. The next one's first byte has position `base`.
  | OpenFile;

interface OpenFile {
  phase: "open";
  file: LogFile;
  /** Position of the file's first byte. */
  base: number;
  /** The next file has been seen to be written to: this one is read once more, then left. */
  isLeaving: boolean;
  /** When everything that was written had been read, epoch milliseconds; undefined: not in this file yet. */
  caughtUpAt: number | undefined;
}

class LogReader {
  readonly #options: FileSourceOptions;
  #epoch: string;
  #phase: Phase = { phase: "not-begun" };
  /** Why the source cannot be read, with a remedy where one is known. */
  #trouble: string | undefined;

  constructor(options: FileSourceOptions) {
    this.#options = options;
    this.#epoch = options.bookmark?.epoch ?? options.epoch ?? newEpoch();
  }

  bookmark(): FileBookmark | undefined {
    const phase = this.#phase;
    const epoch = this.#epoch;
    const position = this.#position();
    switch (phase.phase) {
      case "not-begun":
        return this.#options.bookmark;
      case "waiting":
        return {
          ...{ epoch, position, device: 0, inode: NO_FILE, offset: 0 },
          fingerprint: { length: 0, hash: "" },
        };
      case "open": {
        const { device, inode } = phase.file;
        const [offset, fingerprint] = [phase.file.offset(), phase.file.fingerprint()];
        return { epoch, position, device, inode, offset, fingerprint };
      }
    }
  }

  state(): "reading" | "waiting" | "failed" {
    if (this.#trouble !== undefined) return "failed";
    return this.#phase.phase === "open" ? "reading" : "waiting";
  }

  trouble(): string | undefined {
    return this.#trouble;
  }

  lag(): number {
    if (this.#phase.phase !== "open") return 0;
    const { file } = this.#phase;
    return Math.max(file.size() - file.offset(), 0);
  }

  close(): void {
    if (this.#phase.phase === "open") this.#phase.file.close();
    if (this.#phase.phase !== "not-begun") {
      this.#phase = { phase: "waiting", base: this.#position() };
    }
  }

  /** Finds where to begin; the source fails where that cannot be read. */
  tryToBegin(): void {
    try {
      this.#begin();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Reads all there is. */
  async readAll(isStopped: () => boolean): Promise<void> {
    try {
      if (this.#phase.phase === "not-begun") this.#begin();
      while (!isStopped() && (await this.#readOn()));
      this.#trouble = undefined;
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Hands out the next lines. Returns whether there may be more of them. */
  async #readOn(): Promise<boolean> {
    if (this.#phase.phase === "open" && !this.#phase.file.isIntact()) {
      this.#afterTruncation(this.#phase.file);
    }
    const open = this.#phase;
    if (open.phase !== "open") return this.#openAppeared();
    const taken = open.file.take();
    const lines = taken instanceof Promise ? await taken : taken;
    if (this.#phase !== open) return true; // closed meanwhile
    if (lines.length === 0) return this.#moveOn(open);
    const to = this.#position();
    const isFresh = isCaughtUp(open);
    await this.#options.onLines({
      lines,
      from: to - lines.length,
      to,
      epoch: this.#epoch,
      isFresh,
    });
    return true;
  }

  #begin(): void {
    const { path, bookmark, startAt, say } = this.#options;
    if (bookmark && bookmark.inode !== NO_FILE) this.#resume(bookmark);
    else if (bookmark) this.#open(path, 0, bookmark.position);
    else this.#open(path, startAt === "end" ? (statOf(path)?.size ?? 0) : 0, 0);
    const offset = this.#phase.phase === "open" ? this.#phase.file.offset() : undefined;
    say(offset === undefined ? "source waits for its file" : "source is read", { path, offset });
  }

  #resume(bookmark: FileBookmark): void {
    const { path, onGap } = this.#options;
    const found = findBookmarked(path, bookmark);
    if (found !== undefined) {
      this.#open(found, bookmark.offset, bookmark.position);
      return;
    }
    onGap(`what was read of ${path} is not there any more, also not among its rotated files`);
    this.#epoch = newEpoch(); // what was read is not to be told from what was not
    this.#open(path, 0, 0);
  }

  /** Opens a file, so that its byte at `offset` has this position. Throws where it may not be read. */
  #open(target: string, offset: number, position: number): boolean {
    const { onOverlong, onGap } = this.#options;
    const opened = isCompressed(target)
      ? openCompressedLog(target, offset, { onOverlong, onGap })
      : openLogFile(target, offset, onOverlong);
    if (this.#phase.phase === "open") this.#phase.file.close();
    const base = position - offset;
    this.#phase = opened
      ? { phase: "open", file: opened, base, isLeaving: false, caughtUpAt: undefined }
      : { phase: "waiting", base };
    return opened !== undefined;
  }

  /** There was no file: there may be one now. */
  #openAppeared(): boolean {
    const { path, say } = this.#options;
    if (!statOf(path) || !this.#open(path, 0, this.#position())) return false;
    say("source is read", { path });
    return true;
  }

  /** The open file has no more lines now. Returns whether another look may find some. */
  #moveOn(open: OpenFile): boolean {
    const { path, say } = this.#options;
    const target = findSuccessor(path, open.file);
    if (target === undefined) {
      open.caughtUpAt = Date.now();
      return false;
    }
    if (!open.isLeaving) {
      open.isLeaving = true;
      return true;
    }
    say("source was rotated", { path });
    return this.#open(target, 0, this.#position());
  }

  /** Reads what is left in the copy, then the file from its beginning. */
  #afterTruncation(truncated: LogFile): void {
    const { path, say } = this.#options;
    say("source was truncated", { path });
    const copy = findCopy(path, truncated);
    if (copy === undefined) this.#open(path, 0, this.#position());
    else this.#open(copy, truncated.offset(), this.#position());
  }

  /** The position up to which lines were taken. */
  #position(): number {
    if (this.#phase.phase === "not-begun") return 0;
    return this.#phase.base + (this.#phase.phase === "open" ? this.#phase.file.offset() : 0);
  }

  #fail(error: unknown): void {
    const { path, onFailed } = this.#options;
    const remedy = permissionRemedy(path);
    const reason = explainFileError(error);
    const isNews = this.#trouble === undefined;
    this.#trouble = remedy === undefined ? reason : `${reason}: ${remedy}`;
    if (isNews) onFailed(this.#trouble);
  }
}

function isCaughtUp({ caughtUpAt }: OpenFile): boolean {
  return caughtUpAt !== undefined && Math.abs(Date.now() - caughtUpAt) <= FRESH_MS;
}
