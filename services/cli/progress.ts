/** How far a long work has come, as a bar on a terminal. */
import { statSync } from "node:fs";
import type { Output } from "./output.ts";

export interface Progress {
  /** Adds `amount` to what has been done. */
  advance(amount: number): void;
  done(): void;
}

export interface ProgressOptions {
  /** 0: nobody knows. */
  total: number;
  /** "12.4 of 40.0 MB"; "12.4 MB" where the total is not known. */
  describe: (done: number, total: number) => string;
  output: Pick<Output, "transient">;
  now: () => number;
}

/** Shorter waits need no bar. */
const SHOWN_AFTER_MS = 500;
const EVERY_MS = 100;
const WIDTH = 30;

export function createProgress({ total, describe, output, now }: ProgressOptions): Progress {
  let done = 0;
  let nextAt = now() + SHOWN_AFTER_MS;
  return {
    advance(amount) {
      done += amount;
      if (now() < nextAt) return;
      nextAt = now() + EVERY_MS;
      output.transient(drawBar(done, total, describe));
    },
    done: () => output.transient(undefined),
  };
}

/** "[######              ]  31 %  12.4 of 40.0 MB"; only the megabytes where the end is not known. */
export function drawBar(
  done: number,
  total: number,
  describe: ProgressOptions["describe"],
): string {
  if (total === 0) return describe(done, total);
  const part = Math.min(done / total, 1);
  const bar = "#".repeat(Math.floor(part * WIDTH)).padEnd(WIDTH);
  const percent = String(Math.floor(part * 100)).padStart(3);
  return `[${bar}] ${percent} %  ${describe(done, total)}`;
}

/** Bytes of files that are read. */
export function describeMegabytes(done: number, total: number): string {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  return total === 0 ? `${megabytes(done)} MB` : `${megabytes(done)} of ${megabytes(total)} MB`;
}

export function sizeOfFiles(files: readonly string[]): number {
  return files.reduce((sum, file) => {
    return sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0);
  }, 0);
}
