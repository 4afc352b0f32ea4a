/**
 * The last place up to which everything is known to be published: a position in every
 * source, and the ledger as it was at just that moment. An agent that reads on from there finds
 * the same failures at the same positions again.
 *
 * Invariants:
 * - A place is written down only when NATS has acknowledged everything before it.
 * - The ledger of a place is a snapshot that was taken at the very moment of its positions.
 */
import { join } from "node:path";
import * as z from "zod";
import type { LedgerSnapshot } from "../../detection/attempts/attempt-ledger.ts";
import { journalBookmark, type JournalBookmark } from "./sources/journal-source.ts";
import { readState, writeState } from "../state/state-file.ts";
import { PacedWork, type Outcome } from "../state/paced-work.ts";
import type { FileHealth } from "../state/state-health.ts";
import type { FailurePublisher } from "./failure-publisher.ts";

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
  acknowledged: FailurePublisher["acknowledged"];
  /** Hears of every attempt to write. */
  health: FileHealth;
  onError: (error: unknown) => void;
}

const EVERY_MS = 1_000;
/** After it could not be written. */
const AGAIN_MS = 3_000;
/** Taking snapshots may use at most one SHARE-th of the time. */
const SHARE = 20;

export const checkpointPath = (folder: string): string => join(folder, "checkpoint.json");

export function readCheckpoint(folder: string): Promise<CheckpointFile | undefined> {
  return readState(checkpointPath(folder), checkpointFile);
}

export function createCheckpoint(options: CheckpointOptions): Checkpoint {
  const writer = new CheckpointWriter(options);
  const paced = new PacedWork(EVERY_MS, () => writer.step());
  return {
    touch() {
      paced.changed();
    },
    write: () => paced.run(),
    async close() {
      await paced.close(); // the place that was taken before
      await paced.run(); // the place that has come since
    },
  };
}

class CheckpointWriter {
  readonly #options: CheckpointOptions;
  /** The place that was taken, and that waits for the acknowledgements of what was read before it. */
  #taken: CheckpointFile | undefined;
  /** The positions that stand in the file; undefined: this process has not written it. */
  #written: string | undefined;
  /** From the next change to the next step. */
  #pauseMs = EVERY_MS;

  constructor(options: CheckpointOptions) {
    this.#options = options;
  }

  /** Takes a place if none waits, and writes down the one that waits if it can be. */
  async step(): Promise<Outcome> {
    try {
      const file = this.#takePlace();
      // Where something is not acknowledged yet, the acknowledgement is the next change.
      if (file && this.#isPublished(file)) {
        this.#taken = undefined;
        return await this.#write(file);
      }
    } catch (error) {
      this.#options.onError(error);
    }
    return { pauseMs: this.#pauseMs, isUnfinished: false };
  }

  /** The place that waits, or the present one; undefined: that one is written already. */
  #takePlace(): CheckpointFile | undefined {
    if (this.#taken && !this.#isOver(this.#taken)) return this.#taken;
    const { bookmarks, patterns, shifts, ledger } = this.#options;
    const began = performance.now();
    const sources = bookmarks();
    const taken = {
      v: 1,
      sources,
      patterns: patterns(),
      shifts: shifts(),
      ledger: ledger(),
    } as const;
    this.#pauseMs = Math.max(EVERY_MS, SHARE * (performance.now() - began));
    this.#taken = positionsOf(taken) === this.#written ? undefined : taken;
    return this.#taken;
  }

  async #write(file: CheckpointFile): Promise<Outcome> {
    const { folder, health } = this.#options;
    try {
      await writeState(checkpointPath(folder), file);
    } catch (error) {
      health.failed(error);
      this.#pauseMs = AGAIN_MS;
      return { pauseMs: AGAIN_MS, isUnfinished: true };
    }
    health.written();
    this.#written = positionsOf(file);
    return { pauseMs: this.#pauseMs, isUnfinished: false };
  }

  #isPublished({ sources }: CheckpointFile): boolean {
    return Object.entries(sources).every(([lane, { epoch, position }]) => {
      const acknowledged = this.#options.acknowledged(lane, epoch);
      switch (acknowledged.state) {
        case "all":
          return true;
        case "up-to":
          return acknowledged.position >= position;
        case "not-yet":
          return false;
      }
    });
  }

  /** A source has begun a new epoch since: from this place no agent will read on. */
  #isOver({ sources }: CheckpointFile): boolean {
    const present = this.#options.bookmarks();
    return Object.entries(sources).some(([lane, { epoch }]) => present[lane]?.epoch !== epoch);
  }
}

function positionsOf({ sources }: CheckpointFile): string {
  return JSON.stringify(
    Object.entries(sources).map(([lane, { epoch, position }]) => [lane, epoch, position]),
  );
}
