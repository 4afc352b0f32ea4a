/** How far a long input has been read, on a terminal. */
import { statSync } from "node:fs";
import type { Output } from "./output.ts";

export interface Progress {
  /** Further bytes have been read. */
  advance(bytes: number): void;
  done(): void;
}

export interface ProgressOptions {
  files: readonly string[];
  output: Pick<Output, "transient">;
  now: () => number;
}

/** Shorter waits need no bar. */
const SHOWN_AFTER_MS = 500;
const EVERY_MS = 100;
const WIDTH = 30;

export function createProgress({ files, output, now }: ProgressOptions): Progress {
  const total = files.reduce((sum, file) => sum + sizeOf(file), 0);
  let read = 0;
  let nextAt = now() + SHOWN_AFTER_MS;
  return {
    advance(bytes) {
      read += bytes;
      if (now() < nextAt) return;
      nextAt = now() + EVERY_MS;
      output.transient(drawBar(read, total));
    },
    done: () => output.transient(undefined),
  };
}

/** "[######              ]  31 %  12.4 of 40.0 MB"; only the megabytes where the end is not known. */
export function drawBar(read: number, total: number): string {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  if (total === 0) return `${megabytes(read)} MB`;
  const part = Math.min(read / total, 1);
  const bar = "#".repeat(Math.floor(part * WIDTH)).padEnd(WIDTH);
  const percent = String(Math.floor(part * 100)).padStart(3);
  return `[${bar}] ${percent} %  ${megabytes(read)} of ${megabytes(total)} MB`;
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
