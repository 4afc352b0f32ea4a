/**
 * Follows entries of systemd's journal, by journalctl, which is started again whenever it ends.
 *
 * A place in the journal is the cursor of the last entry that was handed out. Positions count
 * entries since the epoch began, because who reads on from a cursor finds the same entries in
 * the same order; a journal that no longer has the cursor has lost entries, and the
 * epoch ends with it.
 */
import { reasonOf } from "../../../process/reason.ts";
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { describeSelection, journalArguments } from "../../../process/journal.ts";
import type { JournalSelection } from "../../../process/journal.ts";
import { newEpoch, type Source, type SourceOptions } from "./source.ts";

export const journalBookmark = z.object({
  epoch: z.string(),
  position: z.number(),
  /** Of the last entry that was handed out; null: the journal was empty. */
  cursor: z.string().nullable(),
});
export type JournalBookmark = z.infer<typeof journalBookmark>;

export interface JournalSourceOptions extends SourceOptions<JournalBookmark> {
  selection: JournalSelection;
}

/** Failures have their place within an entry: no entry that is read is longer. */
const PER_ENTRY = 1_048_576;
const RETRY_MS = { first: 1_000, longest: 30_000 };
const NEWLINE = 10;
/** Quotes in a message are escaped, so this is nowhere but in the entry's own field. */
const CURSOR = /"__CURSOR":"([^"]{1,512})"/;

export function openJournalSource(options: JournalSourceOptions): Source<JournalBookmark> {
  const { selection, startAt, onLines, onOverlong, onGap, onFailed, say } = options;
  const ended = new AbortController();
  const entries = describeSelection(selection);
  const isStopped = () => ended.signal.aborted;
  const place: JournalBookmark = options.bookmark
    ? { ...options.bookmark }
    : { epoch: newEpoch(), position: 0, cursor: null };
  let isFirstStart = options.bookmark === undefined;
  let state: "reading" | "waiting" | "failed" = "waiting";
  /** Why journalctl has ended the last time. */
  let trouble: string | undefined;

  const journalctl = (args: readonly string[]) =>
    spawn("journalctl", journalArguments(selection, args), {
      stdio: ["ignore", "pipe", "pipe"],
      signal: ended.signal,
    });

  /** The cursor of the first such entry that journalctl shows; null: none. */
  async function cursorOf(...args: string[]): Promise<string | null> {
    const child = journalctl([...args, "--lines=1"]);
    const failed = new Promise<never>((_, reject) => child.once("error", reject));
    const shown = await Promise.race([text(child.stdout), failed]);
    return CURSOR.exec(shown)?.[1] ?? null;
  }

  /** journalctl's arguments to find what was not read yet. */
  async function findPlace(): Promise<string[]> {
    if (isFirstStart && startAt === "end") place.cursor = await cursorOf();
    isFirstStart = false;
    const { cursor } = place;
    if (cursor === null) return [];
    if ((await cursorOf(`--cursor=${cursor}`)) === cursor) return [`--after-cursor=${cursor}`];
    onGap(`the journal of ${entries} has lost the entry that was read last`);
    place.epoch = newEpoch();
    place.position = 0;
    // journalctl skips one entry after a cursor, also when that is not the cursor's own any more.
    return [`--cursor=${cursor}`];
  }

  async function handOut(line: Buffer): Promise<void> {
    const from = place.position;
    place.position += PER_ENTRY;
    place.cursor = CURSOR.exec(line.toString("latin1"))?.[1] ?? place.cursor;
    if (line.length >= PER_ENTRY) onOverlong();
    else {
      const { position: to, epoch } = place;
      // journald's own time needs no proof.
      await onLines({ lines: line, from, to, epoch, isFresh: false });
    }
  }

  /** Reads until journalctl ends; returns what it said. */
  async function follow(): Promise<string> {
    const child = journalctl(["--follow", "--no-tail", ...(await findPlace())]);
    const said = text(child.stderr);
    const failed = new Promise<never>((_, reject) => child.once("error", reject));
    failed.catch(() => {}); // also when nobody waits for it any more
    state = "reading";
    say("journal is read", { entries });
    const read = async () => {
      let rest: Buffer = Buffer.alloc(0);
      for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
        const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
        let start = 0;
        for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, start)) {
          await handOut(bytes.subarray(start, at + 1));
          start = at + 1;
        }
        rest = bytes.subarray(start);
      }
    };
    try {
      await Promise.race([read(), failed]);
      return (await said).trim();
    } finally {
      child.kill();
    }
  }

  async function live(): Promise<void> {
    for (let delay = RETRY_MS.first; !isStopped(); delay = Math.min(delay * 2, RETRY_MS.longest)) {
      const before = place.position;
      let reason: string;
      try {
        reason = await follow();
      } catch (error) {
        reason = reasonOf(error);
      }
      if (isStopped()) return;
      state = "failed";
      trouble = `journalctl has ended: ${reason.slice(0, 300) || "it says no reason"}`;
      if (place.position > before) delay = RETRY_MS.first;
      onFailed(trouble);
      await sleep(delay, undefined, { signal: ended.signal }).catch(() => {});
    }
  }

  return {
    start: () => void live(),
    bookmark: () => ({ ...place }),
    state: () => state,
    trouble: () => (state === "failed" ? trouble : undefined),
    lag: () => 0,
    stop: () => ended.abort(),
  };
}
