/**
 * Follows entries of systemd's journal, by journalctl, which is started again whenever it ends.
 *
 * A place in the journal is the cursor of the last entry that was handed out. Positions count
 * entries since the epoch began, because who reads on from a cursor finds the same entries in
 * the same order; a journal that no longer has the cursor has lost entries, and the
 * epoch ends with it.
 */
import { failureOf } from "../../../process/child-failure.ts";
import { reasonOf } from "../../../process/reason.ts";
import { spawn, type ChildProcessByStdio } from "node:child_process";
import type { Readable } from "node:stream";
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
  const reader = new JournalReader(options);
  return {
    start: () => void reader.live(),
    bookmark: () => ({ ...reader.place }),
    state: () => reader.state.phase,
    trouble: () => (reader.state.phase === "failed" ? reader.state.trouble : undefined),
    lag: () => 0,
    stop: () => reader.stop(),
  };
}

type State =
  | { phase: "waiting" } // journalctl was not started yet.
  | { phase: "reading" }
  | { phase: "failed"; trouble: string }; // journalctl has ended, and is started again.

type Journalctl = ChildProcessByStdio<null, Readable, Readable>;

class JournalReader {
  readonly #options: JournalSourceOptions;
  /** The entries that are read, in words. */
  readonly #entries: string;
  readonly place: JournalBookmark;
  state: State = { phase: "waiting" };
  /** Whether no run has found a place to read from. */
  #isFirstStart: boolean;
  readonly #stopped = new AbortController();

  constructor(options: JournalSourceOptions) {
    this.#options = options;
    this.#entries = describeSelection(options.selection);
    this.place = { ...(options.bookmark ?? { epoch: newEpoch(), position: 0, cursor: null }) };
    this.#isFirstStart = options.bookmark === undefined;
  }

  async live(): Promise<void> {
    const { signal } = this.#stopped;
    const isStopped = () => signal.aborted;
    for (let delay = RETRY_MS.first; !isStopped(); delay = Math.min(delay * 2, RETRY_MS.longest)) {
      const before = this.place.position;
      const reason = await this.#follow().catch(reasonOf);
      if (isStopped()) return;
      const trouble = `journalctl has ended: ${reason.slice(0, 300) || "it says no reason"}`;
      this.state = { phase: "failed", trouble };
      if (this.place.position > before) delay = RETRY_MS.first;
      this.#options.onFailed(trouble);
      await sleep(delay, undefined, { signal }).catch(() => {});
    }
  }

  stop(): void {
    this.#stopped.abort();
  }

  #journalctl(args: readonly string[]): Journalctl {
    return spawn("journalctl", journalArguments(this.#options.selection, args), {
      stdio: ["ignore", "pipe", "pipe"],
      signal: this.#stopped.signal,
    });
  }

  /** Reads until journalctl ends; returns what it said. */
  async #follow(): Promise<string> {
    const place = await this.#findPlace();
    const child = this.#journalctl(["--follow", "--no-tail", ...place]);
    const said = text(child.stderr);
    const failed = failureOf(child);
    this.state = { phase: "reading" };
    this.#options.say("journal is read", { entries: this.#entries });
    try {
      await Promise.race([this.#readEntries(child.stdout), failed]);
      return (await said).trim();
    } finally {
      child.kill();
    }
  }

  /** journalctl's arguments to find what was not read yet. */
  async #findPlace(): Promise<string[]> {
    const { startAt, onGap } = this.#options;
    if (this.#isFirstStart && startAt === "end") this.place.cursor = await this.#cursorOf();
    this.#isFirstStart = false;
    const { cursor } = this.place;
    if (cursor === null) return [];
    const found = await this.#cursorOf(`--cursor=${cursor}`);
    if (found === cursor) return [`--after-cursor=${cursor}`];
    onGap(`the journal of ${this.#entries} has lost the entry that was read last`);
    this.place.epoch = newEpoch();
    this.place.position = 0;
    // journalctl skips one entry after a cursor, also when that is not the cursor's own any more.
    return [`--cursor=${cursor}`];
  }

  /** The cursor of the first such entry that journalctl shows; null: none. */
  async #cursorOf(...args: string[]): Promise<string | null> {
    const child = this.#journalctl([...args, "--lines=1"]);
    const shown = await Promise.race([text(child.stdout), failureOf(child)]);
    return CURSOR.exec(shown)?.[1] ?? null;
  }

  /** Hands out the entries one after the other; each is a line. */
  async #readEntries(stdout: AsyncIterable<Buffer>): Promise<void> {
    let rest: Buffer = Buffer.alloc(0);
    for await (const chunk of stdout) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let start = 0;
      for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, start)) {
        await this.#handOut(bytes.subarray(start, at + 1));
        start = at + 1;
      }
      rest = bytes.subarray(start);
    }
  }

  async #handOut(line: Buffer): Promise<void> {
    const { onLines, onOverlong } = this.#options;
    const { place } = this;
    const from = place.position;
    place.position += PER_ENTRY;
    place.cursor = CURSOR.exec(line.toString("latin1"))?.[1] ?? place.cursor;
    if (line.length >= PER_ENTRY) {
      onOverlong();
      return;
    }
    const { position: to, epoch } = place;
    // journald's own time needs no proof.
    await onLines({ lines: line, from, to, epoch, isFresh: false });
  }
}
