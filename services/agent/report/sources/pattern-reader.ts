/**
 * Follows all files that match a pattern, such as the logs of a container that is made anew again
 * and again: every file from its beginning once it appears, until it is gone and was read.
 *
 * A file is known by its device and inode: another name for it, because it was rotated or linked, is
 * no other file. The epoch of a file that appears is made of what the file is: an agent that is killed
 * before it has written down the epoch finds the same failures at the same positions of it again.
 */
import { createHash } from "node:crypto";
import type { Bookmark, FileBookmark } from "../checkpoint.ts";
import { explainFileError } from "../../../process/file-error.ts";
import { openFileSource } from "./file-source.ts";
import { matchingFiles } from "./path-pattern.ts";
import type { OnLines, Reader } from "./reader.ts";
import { siblingsOf, statOf } from "./siblings.ts";
import type { Source, SourceOptions } from "./source.ts";

export interface PatternReaderOptions extends Omit<SourceOptions<never>, "bookmark" | "onLines"> {
  /** The source's name. */
  name: string;
  pattern: string;
  /** Where the last run stood, by lane; undefined: this pattern was never read before. */
  restored: Readonly<Record<string, Bookmark>> | undefined;
  onLines: OnLines;
}

/** The same for a file whenever it is looked at, and another for every other file. */
function epochOf(path: string): string {
  const stats = statOf(path);
  const identity = [path, stats?.dev, stats?.ino, stats?.birthtimeMs].join(" ");
  return createHash("sha256").update(identity).digest("hex").slice(0, 12);
}

/** Is there a file of this name, or one that it was rotated to? */
function isLeft(path: string): boolean {
  try {
    return statOf(path) !== undefined || siblingsOf(path).length > 0;
  } catch {
    return false; // its folder is gone, too
  }
}

const LOOK_EVERY_MS = 1_000;
/** A pattern that matches more files is a mistake. */
const MAX_FILES = 200;

export function openPatternReader(options: PatternReaderOptions): Reader {
  return new PatternReader(options);
}

class PatternReader implements Reader {
  readonly #options: PatternReaderOptions;
  readonly #files = new Map<string, Source<FileBookmark>>();
  /** undefined: it has not begun to read. */
  #timer: NodeJS.Timeout | undefined;
  #isFirstLook = true;
  /** Why the pattern cannot be looked through; undefined: it can. */
  #trouble: string | undefined;

  constructor(options: PatternReaderOptions) {
    this.#options = options;
    for (const lane of Object.keys(options.restored ?? {})) {
      this.#openRestored(lane.slice(this.#laneOf("").length));
    }
    this.#look();
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
    for (const source of this.#files.values()) source.start();
    this.#look();
  }

  bookmarks(): Record<string, FileBookmark> {
    const all: Record<string, FileBookmark> = {};
    for (const [path, source] of this.#files) {
      const bookmark = source.bookmark();
      if (bookmark) all[this.#laneOf(path)] = bookmark;
    }
    return all;
  }

  state(): "reading" | "waiting" | "failed" {
    const states = [...this.#files.values()].map((source) => source.state());
    if (this.#trouble !== undefined || states.includes("failed")) return "failed";
    return states.includes("reading") ? "reading" : "waiting";
  }

  trouble(): string | undefined {
    const ofFiles = [...this.#files.values()].map((source) => source.trouble());
    return this.#trouble ?? ofFiles.find(Boolean);
  }

  lag(): number {
    return [...this.#files.values()].reduce((sum, source) => sum + source.lag(), 0);
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const source of this.#files.values()) source.stop();
  }

  #laneOf(path: string): string {
    return `${this.#options.name}:${path}`;
  }

  #openRestored(path: string): void {
    if (isLeft(path)) this.#open(path);
    else {
      const what = "a file is gone since the last run, with what was not read of it";
      this.#options.say(what, { path });
    }
  }

  #open(path: string): void {
    const { restored, startAt, onLines } = this.#options;
    const lane = this.#laneOf(path);
    const bookmark = restored?.[lane];
    const isNew = !this.#isFirstLook || restored !== undefined;
    const source = openFileSource({
      ...this.#options,
      path,
      bookmark: bookmark && "inode" in bookmark ? bookmark : undefined,
      // What is new since the last run has not been read yet.
      startAt: isNew ? "beginning" : startAt,
      ...(isNew && { epoch: epochOf(path) }),
      onLines: (chunk) => onLines(lane, chunk),
    });
    this.#files.set(path, source);
    if (this.#timer !== undefined) source.start();
  }

  #look(): void {
    const { pattern, onFailed } = this.#options;
    try {
      const present = matchingFiles(pattern);
      this.#openNew(present);
      this.#closeGone(present);
      this.#isFirstLook = false;
      this.#trouble = undefined;
    } catch (error) {
      const known = this.#trouble;
      this.#trouble = `${pattern}: ${explainFileError(error)}`;
      if (known === undefined) onFailed(this.#trouble);
    }
  }

  #openNew(present: readonly string[]): void {
    for (const path of present) {
      if (this.#files.has(path) || this.#isOpen(path)) continue;
      if (this.#files.size >= MAX_FILES) throw new Error(`more than ${MAX_FILES} files match`);
      this.#open(path);
    }
  }

  #closeGone(present: readonly string[]): void {
    for (const [path, source] of this.#files) {
      if (present.includes(path) || statOf(path) !== undefined || source.lag() > 0) continue;
      this.#options.say("a file is gone, and was read", { path });
      source.stop();
      this.#files.delete(path);
    }
  }

  /** Is the file read under another name? */
  #isOpen(path: string): boolean {
    const stats = statOf(path);
    return [...this.#files.values()].some((source) => {
      const bookmark = source.bookmark();
      return bookmark?.inode === stats?.ino && bookmark?.device === stats?.dev;
    });
  }
}
