/**
 * The last place up to which everything is known to be published: a position in every
 * source, and the ledger as it was at just that moment. An agent that
 * reads on from there finds the same failures at the same positions again.
 */
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import * as z from "zod";
import type { LedgerSnapshot } from "../../detection/attempts/attempt-ledger.ts";
import { journalBookmark, type JournalBookmark } from "./sources/journal-source.ts";
import { readState, writeState } from "../state/state-file.ts";
import type { FileHealth } from "../state/state-health.ts";

/** Where a file source stands. */
export const fileBookmark = z.object({
  epoch: z.string(),
  /** Bytes read since the epoch began. */
  position: z.number(),
  device: z.number(),
  inode: z.number(),
  /** Bytes read of this file. */
  offset: z.number(),
  /** Hash of the file's first bytes, and how many: an inode's number is used again. */
  fingerprint: z.object({ length: z.number(), hash: z.string() }),
});
export type FileBookmark = z.infer<typeof fileBookmark>;

const checkpointFile = z.object({
  v: z.literal(1),
  /** By lane: the source's name, or that and the path of one of its files. */
  sources: z.record(z.string(), z.union([fileBookmark, journalBookmark])),
  /** Patterns that have been read, by source: files that match and are new are read from their beginning. */
  patterns: z.record(z.string(), z.string()).optional(),
  /** By how much stamps of a source are moved, and the zone that they are taken for. */
  shifts: z.record(z.string(), z.object({ zone: z.string(), shiftMs: z.number() })).optional(),
  ledger: z.custom<LedgerSnapshot>((value) => typeof value === "object" && value !== null),
});
export type Bookmark = FileBookmark | JournalBookmark;
export type CheckpointFile = z.infer<typeof checkpointFile>;

export interface Checkpoint {
  /** Something was read or acknowledged: there may be a new place to write down. */
  touch(): void;
  /** Writes down what can be, now. */
  write(): Promise<void>;
  close(): Promise<void>;
}

export interface CheckpointOptions {
  folder: string;
  /** The present place in every lane. */
  bookmarks: () => Record<string, Bookmark>;
  shifts: () => NonNullable<CheckpointFile["shifts"]>;
  patterns: () => NonNullable<CheckpointFile["patterns"]>;
  ledger: () => LedgerSnapshot;
  /** The position up to which all of a lane's present epoch is acknowledged; -1: not even what was before it. */
  acknowledged: (source: string, epoch: string) => number;
  /** Hears of every attempt to write; throws where that is no reason to go on. */
  health: FileHealth;
  onError: (error: unknown) => void;
}

const EVERY_MS = 1_000;
/** After it could not be written. */
const AGAIN_MS = 3_000;
/** Taking a snapshot may use one part in this many of the time. */
const SHARE = 20;

export const checkpointPath = (folder: string): string => join(folder, "checkpoint.json");

export function readCheckpoint(folder: string): Promise<CheckpointFile | undefined> {
  return readState(checkpointPath(folder), checkpointFile);
}

export function createCheckpoint(options: CheckpointOptions): Checkpoint {
  const { folder, bookmarks, shifts, patterns, ledger, acknowledged, health, onError } = options;
  /** Taken, and waiting for the acknowledgements of what was read before it. */
  let waiting: CheckpointFile | undefined;
  let written = "";
  let timer: NodeJS.Timeout | undefined;
  let pause = EVERY_MS;
  let closed = false;
  let writing: Promise<void> = Promise.resolve();

  const positions = (file: CheckpointFile) =>
    JSON.stringify(
      Object.entries(file.sources).map(([name, { epoch, position }]) => [name, epoch, position]),
    );

  const isPublished = (file: CheckpointFile) =>
    Object.entries(file.sources).every(
      ([name, { epoch, position }]) => acknowledged(name, epoch) >= position,
    );

  /** A source has begun a new epoch since: from this place nobody will go on. */
  function isOver(file: CheckpointFile): boolean {
    const present = bookmarks();
    return Object.entries(file.sources).some(([name, { epoch }]) => present[name]?.epoch !== epoch);
  }

  async function step(): Promise<void> {
    if (waiting && isOver(waiting)) waiting = undefined;
    if (!waiting) {
      const began = performance.now();
      const taken: CheckpointFile = {
        ...{ v: 1, sources: bookmarks(), patterns: patterns(), shifts: shifts() },
        ledger: ledger(),
      };
      pause = Math.max(EVERY_MS, SHARE * (performance.now() - began));
      if (positions(taken) === written) return;
      waiting = taken;
    }
    if (!isPublished(waiting)) return; // touched again by the acknowledgement
    const file = waiting;
    waiting = undefined;
    try {
      await writeState(checkpointPath(folder), file);
    } catch (error) {
      health.failed(error);
      pause = AGAIN_MS;
      if (!closed) touch();
      return;
    }
    health.written();
    written = positions(file);
  }

  function touch(): void {
    timer ??= setTimeout(() => {
      timer = undefined;
      void run();
    }, pause);
  }

  function run(): Promise<void> {
    writing = writing.then(step).catch(onError);
    return writing;
  }

  return {
    touch,
    write: run,
    async close() {
      closed = true;
      clearTimeout(timer);
      await run();
      await run(); // what was waiting, then what has come since
    },
  };
}
