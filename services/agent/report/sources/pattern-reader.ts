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
  const { name, pattern, restored, startAt, onLines, onFailed, say } = options;
  const files = new Map<string, Source<FileBookmark>>();
  let timer: NodeJS.Timeout | undefined;
  let isFirstLook = true;
  let trouble: string | undefined;

  const laneOf = (path: string) => `${name}:${path}`;

  function open(path: string): void {
    const lane = laneOf(path);
    const bookmark = restored?.[lane];
    const isNew = !isFirstLook || restored !== undefined;
    const source = openFileSource({
      ...options,
      path,
      bookmark: bookmark && "inode" in bookmark ? bookmark : undefined,
      // What is new since the last run has not been read yet.
      startAt: isNew ? "beginning" : startAt,
      ...(isNew && { epoch: epochOf(path) }),
      onLines: (chunk) => onLines(lane, chunk),
    });
    files.set(path, source);
    if (timer !== undefined) source.start();
  }

  function isOpen(path: string): boolean {
    const stats = statOf(path);
    return [...files.values()].some((source) => {
      const bookmark = source.bookmark();
      return bookmark?.inode === stats?.ino && bookmark?.device === stats?.dev;
    });
  }

  function look(): void {
    try {
      const present = matchingFiles(pattern);
      for (const path of present) {
        if (files.has(path) || isOpen(path)) continue;
        if (files.size >= MAX_FILES) throw new Error(`more than ${MAX_FILES} files match`);
        open(path);
      }
      for (const [path, source] of files) {
        if (present.includes(path) || statOf(path) !== undefined || source.lag() > 0) continue;
        say("a file is gone, and was read", { path });
        source.stop();
        files.delete(path);
      }
      isFirstLook = false;
      trouble = undefined;
    } catch (error) {
      const known = trouble;
      trouble = `${pattern}: ${explainFileError(error)}`;
      if (known === undefined) onFailed(trouble);
    }
  }

  for (const lane of Object.keys(restored ?? {})) {
    const path = lane.slice(laneOf("").length);
    if (isLeft(path)) open(path);
    else say("a file is gone since the last run, with what was not read of it", { path });
  }
  look();

  return {
    start() {
      timer = setInterval(look, LOOK_EVERY_MS);
      for (const source of files.values()) source.start();
      look();
    },
    bookmarks() {
      const all: Record<string, FileBookmark> = {};
      for (const [path, source] of files) {
        const bookmark = source.bookmark();
        if (bookmark) all[laneOf(path)] = bookmark;
      }
      return all;
    },
    state() {
      const states = [...files.values()].map((source) => source.state());
      if (trouble !== undefined || states.includes("failed")) return "failed";
      return states.includes("reading") ? "reading" : "waiting";
    },
    trouble() {
      return trouble ?? [...files.values()].map((source) => source.trouble()).find(Boolean);
    },
    lag: () => [...files.values()].reduce((sum, source) => sum + source.lag(), 0),
    stop() {
      clearInterval(timer);
      for (const source of files.values()) source.stop();
    },
  };
}
