/** Cuts chunks into whole lines, and skips a line that is too long. */
import { MAX_LINE_BYTES } from "./log-file.ts";

const NEWLINE = 10;
export const NOTHING: Buffer = Buffer.alloc(0);

export class WholeLines {
  /** Where the next line begins: up to there everything was taken, or skipped. */
  taken: number;
  readonly #onOverlong: () => void;
  /** What was added and does not end a line yet. */
  #rest = NOTHING;
  /** Bytes of a line that is too long, so far; 0: no such line is under way. */
  #dropped = 0;

  constructor(taken: number, onOverlong: () => void) {
    this.taken = taken;
    this.#onOverlong = onOverlong;
  }

  add(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    if (this.#dropped > 0) this.#endOverlong();
  }

  /** The whole lines that were added; undefined: more has to be added first. */
  take(): Buffer | undefined {
    const newline = this.#rest.lastIndexOf(NEWLINE);
    if (newline >= 0) {
      const lines = this.#rest.subarray(0, newline + 1);
      this.#rest = this.#rest.subarray(newline + 1);
      this.taken += lines.length;
      return lines;
    }
    if (this.#rest.length > MAX_LINE_BYTES) {
      this.#dropped += this.#rest.length;
      this.#rest = NOTHING;
    }
    return undefined;
  }

  #endOverlong(): void {
    const newline = this.#rest.indexOf(NEWLINE);
    if (newline < 0) return;
    this.taken += this.#dropped + newline + 1;
    this.#dropped = 0;
    this.#rest = this.#rest.subarray(newline + 1);
    this.#onOverlong();
  }
}
